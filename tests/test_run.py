"""Opening somebody's run folder: right when it is whole, one clear line when it is not, nothing executed."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from corolla.data.sharding import write_shards
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from corolla.run import Config, Run

SHAPE = ViTConfig(num_classes=2, image_size=(16, 16), patch_size=8, embed_dim=16, depth=1, num_heads=2, mlp_dim=32)


def make_run(folder: Path) -> Run:
    run, model = Run(folder), ViT(SHAPE)
    run.save_model(model)
    recipe: dict[str, Any] = {"hflip_tta": True}
    run.save_config(
        Config("vit_test", SHAPE, ("cat", "dög"), Preprocessing((16, 16)), recipe, {"root": str(folder)}, {}, {})
    )
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run")


def test_a_saved_model_comes_back_equal(run: Run) -> None:
    model, config = run.load_model()
    assert not model.training
    assert config.classes == ("cat", "dög")
    assert config.architecture == SHAPE
    again, _ = run.load_model()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_a_run_of_before_rotary_positions_answers_as_it_did(run: Run) -> None:
    later = ("rotary", "rotary_base", "rotary_grid", "norm_in_attention", "norm_in_mlp")
    told = json.loads(run.config_file.read_text(encoding="utf-8"))
    assert {name: told["architecture"].pop(name) for name in later} == {
        "rotary": "none", "rotary_base": 100.0, "rotary_grid": None, "norm_in_attention": False, "norm_in_mlp": False
    }  # fmt: skip
    images = torch.randn(2, 3, 16, 16)
    expected = run.load_model()[0](images)
    run.config_file.write_text(json.dumps(told), encoding="utf-8")
    model, config = run.load_model()
    assert config.architecture == SHAPE
    assert torch.equal(model(images), expected)


def test_rotary_positions_are_kept_with_a_run(run: Run) -> None:
    shape = replace(SHAPE, rotary="counted", rotary_base=50.0, rotary_grid=(7, 9), norm_in_mlp=True)
    model = ViT(shape).eval()
    torch.nn.init.normal_(model.head.weight)
    run.save_model(model)
    run.save_config(replace(run.load_config(), architecture=shape))
    again, config = run.load_model()
    assert config.architecture == shape
    images = torch.randn(2, 3, 16, 32)
    assert torch.equal(again(images), model(images))
    told = json.loads(run.config_file.read_text(encoding="utf-8"))
    hostile = [{"rotary": "mixed"}, {"rotary": None}, {"rotary_base": "x"}, {"rotary_base": 0}]
    for change in [*hostile, *({"rotary_grid": grid} for grid in (7, [0, 1], ["a", "b"], [1, 2, 3]))]:
        run.config_file.write_text(json.dumps(told | {"architecture": told["architecture"] | change}))
        with pytest.raises(CorollaError, match=r"config\.json") as caught:
            run.load_config()
        assert "\n" not in str(caught.value)


def test_a_channels_last_model_is_saved_as_it_computes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = replace(SHAPE, stem=(4, 8))
    model, run = ViT(shape).eval(), make_run(tmp_path)
    torch.nn.init.normal_(model.head.weight)
    model.patch_embed.to(memory_format=torch.channels_last)
    run.save_model(model)
    run.save_config(replace(run.load_config(), architecture=shape))
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(run.load_model()[0](images), model(images))


def test_a_manifest_comes_back_with_its_stream(swatches: Path, tmp_path: Path, run: Run) -> None:
    write_shards(swatches, tmp_path / "shards", images=9)
    manifest = load_data(tmp_path / "shards")
    manifest.save(run.manifest_file)
    edited(run, data={"root": str(manifest.root), "stream": manifest.stream.origin})
    assert run.load_manifest() == manifest
    edited(run, data={"root": str(manifest.root)})
    assert run.load_manifest().stream is None


def edited(run: Run, **changes: Any) -> None:
    values = json.loads(run.config_file.read_text(encoding="utf-8"))
    for path, value in changes.items():
        place = values
        *parents, last = path.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
    run.config_file.write_text(json.dumps(values), encoding="utf-8")


HOSTILE: list[dict[str, Any]] = [
    *({"architecture__width": value} for value in (10**9, -16)),
    *({"architecture__depth": value} for value in (10**6, "1")),
    *({"architecture__image_size": value} for value in ([10**6, 10**6], [15, 16], 7)),
    *({"classes": value} for value in (["cat"], ["cat", "cat"], [1, 2], 7)),
    {"architecture__patch_size": 0},
    {"architecture__heads": 0},
    {"architecture__stem": [10**9]},
    *({f"architecture__{name}": "x"} for name in ("pooling", "positions", "activation", "norm_eps")),
    {"architecture__norm_eps": -1.0},
    *({"architecture__stem_blocks": value} for value in (10**9, -1, "1")),
    {"architecture__registers": 10**9},
    {"architecture__surprise": 1},
    {"architecture": []},
    {"format": 99},
    {"preprocessing__std": [0, 0, 0]},
    {"preprocessing": None},
]


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_a_hostile_config_is_refused_in_one_line(run: Run, change: dict[str, Any]) -> None:
    edited(run, **change)
    with pytest.raises(CorollaError, match=r"config\.json") as caught:
        run.load_model()
    assert "\n" not in str(caught.value)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_for_config_or_weights_are_refused(run: Run, content: bytes) -> None:
    for file in (run.config_file, run.weights):
        whole = file.read_bytes()
        file.write_bytes(content)
        with pytest.raises(CorollaError):
            run.load_model()
        file.write_bytes(whole)


def test_truncated_weights_are_refused(run: Run) -> None:
    whole = run.weights.read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        run.weights.write_bytes(whole[:length])
        with pytest.raises(CorollaError, match="cannot read the weights"):
            run.load_model()


def test_a_flipped_bit_in_the_weights_is_refused_and_never_answers(run: Run) -> None:
    whole = bytearray(run.weights.read_bytes())
    for place in (3, 40, len(whole) // 2, len(whole) - 1):
        whole[place] ^= 4
        run.weights.write_bytes(whole)
        with pytest.raises(CorollaError, match=r"model\.safetensors: .*; copy them again") as caught:
            run.load_model()
        assert "\n" not in str(caught.value)
        whole[place] ^= 4


def test_weights_of_an_older_corolla_without_a_checksum_are_read(run: Run) -> None:
    model, _ = run.load_model()
    save_file(model.state_dict(), run.weights, metadata={"format": "pt"})
    assert torch.equal(run.load_model()[0].head.weight, model.head.weight)


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_named_like_weights_runs_nothing(run: Run, tmp_path: Path) -> None:
    run.weights.write_bytes(pickle.dumps(Touch(tmp_path / "executed")))
    with pytest.raises(CorollaError):
        run.load_model()
    assert not (tmp_path / "executed").exists()


def test_weights_of_another_shape_are_named(run: Run) -> None:
    state = ViT(replace(SHAPE, mlp_dim=48, num_reg_tokens=1)).state_dict()
    del state["norm.bias"]
    save_file(state, run.weights)
    with pytest.raises(CorollaError) as caught:
        run.load_model()
    for words in ("1 missing (norm.bias)", "1 unexpected (reg_token)", "3 of another shape", "(48,), should be (32,)"):
        assert words in str(caught.value)


def test_what_is_not_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="corolla train DATA --out"):
        Run(tmp_path).load_model()


def test_a_last_line_cut_short_is_left_out_of_the_history(run: Run) -> None:
    run.append_history({"epoch": 1})
    run.append_history({"epoch": 2})
    with run.metrics_file.open("a") as file:
        file.write('{"epoch": 3, "train_l')
    assert run.history() == [{"epoch": 1}, {"epoch": 2}]


def test_what_a_killed_process_had_not_finished_is_swept_and_nothing_else(run: Run) -> None:
    whole = sorted(run.folder.iterdir())
    for name in (".model-a1b2c3_8.safetensors", ".config-abcdefgh.json", ".tmpA1b2C3"):
        (run.folder / name).touch()
    for name in (".notes-abcdefgh.txt", ".model", ".lock", "tmpabcdef"):
        (run.folder / name).touch()
        whole.append(run.folder / name)
    run.sweep()
    assert sorted(run.folder.iterdir()) == sorted(whole)


def test_a_run_that_was_killed_before_its_config_is_has_no_config_yet(run: Run, tmp_path: Path) -> None:
    assert not run.has_no_config_yet()
    other = Run(tmp_path / "other")
    other.folder.mkdir()
    assert other.has_no_config_yet()
    for name in (".lock", "manifest.csv", ".config-a1b2c3d4.json", "teacher.safetensors", ".tmpA1b2C3"):
        (other.folder / name).touch()
        assert other.has_no_config_yet()
    (other.folder / "photo.jpg").touch()
    assert not other.has_no_config_yet()
