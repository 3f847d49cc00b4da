"""Files that were made to do harm, or were cut on their way: one line each, and nothing of theirs runs."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.weights import load_weights
from corolla.weights.formats import TIMM
from corolla.weights.reading import READ
from corolla.weights.renaming import to_theirs

CONFIG = ViTConfig(num_classes=3, image_size=(16, 16), patch_size=8, embed_dim=64, depth=2, num_heads=1, mlp_dim=96)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = ViT(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return to_theirs(model.state_dict(), TIMM.table, "gelu").tensors


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(CorollaError) as caught:
        load_weights(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_whatever_a_training_script_wraps_around_the_weights_is_taken_off(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"model": wrapped, "args": argparse.Namespace(lr=1.0), "epoch": 3}, tmp_path / "deit.pth")
    save_file(state, tmp_path / "plain.safetensors")
    images = torch.randn(2, 3, 16, 16)
    deit, plain = load_weights(tmp_path / "deit.pth"), load_weights(tmp_path / "plain.safetensors")
    assert deit.config == plain.config == CONFIG
    assert torch.equal(deit.model()(images), plain.model()(images))


def test_code_in_a_pickle_does_not_run(state: dict[str, Tensor], tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"model": state, "trap": Trap()}, tmp_path / "trap.pth")
    assert "holds code, which was not run" in refused(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()
    np.savez(tmp_path / "trap.npz", cls=np.array([Trap()], dtype=object))
    refused(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_tensor_that_claims_more_than_it_has_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    huge = torch.zeros(1).half().expand(10**9, 3, 8, 8)
    torch.save(state | {"patch_embed.proj.weight": huge}, tmp_path / "huge.pth")
    assert "not a regular tensor" in refused(tmp_path / "huge.pth")


@pytest.mark.parametrize(("change", "words"), [
    ({"blocks.1.norm1.weight": None}, "1 missing \\(blocks.1.norm1.weight\\)"),
    ({"blocks.1.norm1.weight": torch.ones(7)}, "1 of another shape \\(blocks.1.norm1.weight is \\(7,\\)"),
    ({"blocks.1.norm3.weight": torch.ones(64)}, "no place for: blocks.1.norm3.weight"),
    ({"blocks.9.norm1.weight": torch.ones(64)}, "not numbered from 0"),
    ({"blocks.999999999.norm1.weight": torch.ones(64)}, "1 unexpected"),
    ({"blocks.1.norm1.weight": torch.ones(64).int()}, "integers"),
    ({"pos_embed": torch.ones(1, 7, 64)}, "do not fit a square image"),
    ({"pos_embed": None}, "lack learned positions, and nothing beside them says"),
    ({"patch_embed.proj.weight": torch.ones(64, 1, 8, 8)}, "three colors"),
    ({"patch_embed.proj.weight": None, "patch_embed.proj.bias": None}, "in no format"),
    ({"head.weight": torch.ones(3, 32)}, "of another shape"),
])  # fmt: skip
def test_what_does_not_fit_is_named(
    change: dict[str, Any], words: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    changed = {name: tensor for name, tensor in (state | change).items() if tensor is not None}
    save_file(changed, tmp_path / "model.safetensors")
    with pytest.raises(CorollaError, match=words):
        load_weights(tmp_path / "model.safetensors")
    refused(tmp_path / "model.safetensors")


@settings(max_examples=40)
@given(content=st.binary(max_size=300), ending=st.sampled_from(READ))
def test_any_bytes_are_refused(content: bytes, ending: str, tmp_path: Path) -> None:
    (tmp_path / f"any{ending}").write_bytes(content)
    refused(tmp_path / f"any{ending}")


def test_truncated_files_are_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pth")
    np.savez(tmp_path / "a.npz", **{name: tensor.numpy() for name, tensor in state.items()})
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        for length in (0, 7, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            refused(file)


@pytest.mark.parametrize("settings", [
    "{", "[]", "null", '{"layer_norm_eps": "x"}', '{"layer_norm_eps": 2.0}', '{"num_attention_heads": 7}',
    '{"pretrained_cfg": {"mean": 1, "std": 2, "input_size": 3}}',
])  # fmt: skip
def test_hostile_settings_are_one_line_or_of_no_consequence(
    settings: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(settings)
    if settings in ("[]", "null"):
        assert load_weights(tmp_path).config == CONFIG
    else:
        refused(tmp_path)


def test_heads_that_nothing_tells_are_asked_for(state: dict[str, Tensor], tmp_path: Path) -> None:
    narrow = to_theirs(ViT(ViTConfig(3, (16, 16), 8, 48, 1, 3, 96)).state_dict(), TIMM.table, "gelu").tensors
    save_file(narrow, tmp_path / "narrow.safetensors")
    assert "how many heads" in refused(tmp_path / "narrow.safetensors")
    assert load_weights(tmp_path / "narrow.safetensors", heads=3).config.num_heads == 3


@pytest.mark.parametrize("name", ["nothing.pth", "empty", "note.txt"])
def test_what_is_no_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("note")
    assert name in refused(tmp_path / name)


@pytest.mark.parametrize("shard", [
    "../model.safetensors", "/etc/passwd", "..", "a/../../b.safetensors", "sub/x.safetensors",
    "\\\\host\\x.safetensors", "C:x.safetensors", ".hidden.safetensors", "-x.txt", "", 7, None,
])  # fmt: skip
def test_an_index_that_leads_elsewhere_is_refused(shard: Any, state: dict[str, Tensor], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for folder in (tmp_path, tmp_path / "in"):
        save_file(state, folder / "model-1.safetensors")
    table: dict[str, Any] = dict.fromkeys(state, "model-1.safetensors")
    index = tmp_path / "in" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": table}))
    assert load_weights(tmp_path / "in").config == CONFIG
    index.write_text(json.dumps({"weight_map": table | {"norm.weight": shard}}))
    assert "cannot read the weights" in refused(tmp_path / "in")


@pytest.mark.parametrize(("weight_map", "words"), [
    ({"norm.weight": "model-2.safetensors"}, "model-2.safetensors"),
    ({"norm.wait": "model-1.safetensors"}, "lack norm.wait"),
    ({}, "which file holds which tensor"),
    ([], "which file holds which tensor"),
    ({f"w{number}": f"model-{number}.safetensors" for number in range(1001)}, "1001 files"),
])  # fmt: skip
def test_an_index_that_does_not_hold_is_refused(
    weight_map: Any, words: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert words in refused(tmp_path)


def test_pickled_shards_are_read_as_safely(state: dict[str, Tensor], tmp_path: Path) -> None:
    halves = [dict(list(state.items())[::2]), dict(list(state.items())[1::2])]
    for number, half in enumerate(halves):
        torch.save(half, tmp_path / f"part-{number}.bin")
    table = {name: f"part-{number}.bin" for number, half in enumerate(halves) for name in half}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))
    assert load_weights(tmp_path).config == CONFIG
    torch.save(halves[0] | {"trap": os.getcwd}, tmp_path / "part-0.bin")
    assert "holds code, which was not run" in refused(tmp_path)
