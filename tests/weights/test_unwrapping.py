"""Checkpoints as training scripts leave them: whatever is around the weights comes off, and choices are said."""

import argparse
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.progress import Progress
from corolla.weights import load_weights
from corolla.weights import parity as proof
from corolla.weights.formats import HUGGING_FACE_VIT, TIMM, formats_in
from corolla.weights.renaming import to_theirs
from corolla.weights.unwrapping import unwrapped
from references import DINO, PAPERS, asked, error, ours, shaken, torchvision_model

CONFIG = ViTConfig(num_classes=3, image_size=(16, 16), patch_size=8, embed_dim=64, depth=2, num_heads=1, mlp_dim=96)
State = dict[str, Tensor]


def state_of(seed: int = 0) -> State:
    torch.manual_seed(seed)
    model = ViT(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return to_theirs(model.state_dict(), TIMM.table, "gelu").tensors


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def same(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("prefix", [
    "module.", "_orig_mod.", "model.", "net.", "student.", "teacher.", "backbone.", "encoder.", "timm_model.",
    "module._orig_mod.", "_orig_mod.module.", "model.backbone.module.", "net.encoder._orig_mod.", "my_own.vit.trunk.",
    "_fsdp_wrapped_module.model.",
])  # fmt: skip
@pytest.mark.parametrize("nest", [(), ("state_dict",), ("model",), ("net", "state_dict"), ("my_model",)])
def test_wrappers_come_off_in_any_order_and_nesting(prefix: str, nest: tuple[str, ...]) -> None:
    state = state_of()
    raw: Any = under(prefix, state)
    for name in reversed(nest):
        raw = {name: raw, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}}
    found = unwrapped(raw)
    assert same(found.tensors, state)
    assert found.notes == found.outside == ()


def test_blocks_that_were_compiled_one_by_one_are_read() -> None:
    state = state_of()
    compiled = {name.replace(".norm1.", "._orig_mod.norm1."): tensor for name, tensor in state.items()}
    assert compiled.keys() != state.keys()
    assert same(unwrapped(compiled).tensors, state)


def test_the_library_s_own_prefix_is_no_wrapper() -> None:
    """transformers' names have `vit.` in front of all but the head's; the head is not lost by taking that off."""
    state = to_theirs(ViT(CONFIG).state_dict(), HUGGING_FACE_VIT.table, "gelu").tensors
    saved = {name if name.startswith("classifier.") else f"vit.{name}": tensor for name, tensor in state.items()}
    assert list(formats_in(saved)) == [""]
    found = unwrapped({"state_dict": under("model.", saved)})
    assert same(found.tensors, saved)
    assert found.outside == ()


@pytest.mark.parametrize(("kind", "config"), [
    ("ViTForImageClassification", "ViTConfig"), ("DeiTForImageClassification", "DeiTConfig"),
    ("Dinov2ForImageClassification", "Dinov2Config"), ("ViTModel", "ViTConfig"),
])  # fmt: skip
def test_transformers_names_in_memory_are_those_it_saves(kind: str, config: str, tmp_path: Path) -> None:
    shape = DINO if "Dinov2" in kind else PAPERS
    model = shaken(getattr(transformers, kind)(getattr(transformers, config)(**shape | {"num_labels": 4})))
    model.save_pretrained(tmp_path)
    saved = load_weights(tmp_path)
    raw = {"state_dict": under("net.", model.state_dict()), "epoch": 1}
    torch.save(raw, tmp_path / "last.ckpt")
    weights = load_weights(tmp_path / "last.ckpt")
    assert weights.config == saved.config
    assert same(weights.tensors, saved.tensors)


@pytest.mark.parametrize("name", ["state_dict_ema", "model_ema"])
def test_averaged_weights_are_preferred_and_said(name: str, tmp_path: Path) -> None:
    plain, average = state_of(0), state_of(1)
    torch.save({"state_dict": plain, "arch": "vit", name: under("module.", average)}, tmp_path / "last.pth.tar")
    said: list[str] = []

    class Listening(Progress):
        def note(self, text: str) -> None:
            said.append(text)

    weights = load_weights(tmp_path / "last.pth.tar", progress=Listening())
    assert torch.equal(weights.tensors["cls_token"], average["cls_token"])
    choice = f"it holds {name} and state_dict; using {name}, the averaged weights, as timm does"
    assert said == [f"{tmp_path / 'last.pth.tar'}: {choice}"]


def test_an_average_of_torch_s_own_is_read() -> None:
    model = ViT(CONFIG)
    averaged = torch.optim.swa_utils.AveragedModel(model).state_dict()
    assert "n_averaged" in averaged
    theirs = {
        f"module.{name}": tensor
        for name, tensor in to_theirs(
            {name.removeprefix("module."): tensor for name, tensor in averaged.items() if name != "n_averaged"},
            TIMM.table,
            "gelu",
        ).tensors.items()
    } | {"n_averaged": averaged["n_averaged"]}
    found = unwrapped(theirs)
    assert "n_averaged" not in found.tensors
    assert found.outside == ()


@pytest.mark.parametrize("flat", [False, True])
def test_dino_s_teacher_is_taken_and_its_projection_left_out(flat: bool) -> None:
    student, teacher = state_of(0), state_of(1)
    projection = {"head.mlp.0.weight": torch.ones(4, 4), "head.last_layer.weight": torch.ones(4, 4)}
    halves = {
        name: under("module.backbone.", half) | under("module.", projection)
        for name, half in (("student", student), ("teacher", teacher))
    }
    raw = under("student.", halves["student"]) | under("teacher.", halves["teacher"]) if flat else halves
    found = unwrapped(raw)
    assert same(found.tensors, teacher)
    assert any("teacher" in note for note in found.notes)
    assert len([name for name in found.outside if "last_layer" in name and "student" not in name]) == 1


def test_a_lightning_checkpoint_is_read(tmp_path: Path) -> None:
    state = state_of()
    raw = {
        "epoch": 9,
        "global_step": 100,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": under("model.", state) | {"criterion.weight": torch.ones(3), "accuracy.total": torch.ones(1)},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "dirpath": "runs"}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "lr": 1e-3,
            "args": argparse.Namespace(width=64),
            "root": Path("data"),
            "best": np.float64(1),
        },
    }
    torch.save(raw, tmp_path / "epoch=9-step=100.ckpt")
    weights = load_weights(tmp_path / "epoch=9-step=100.ckpt")
    assert weights.config == CONFIG
    assert torch.equal(weights.tensors["cls_token"], state["cls_token"])
    assert weights.idle == ("criterion.weight", "accuracy.total")
    assert weights.notes == ("left out, because they are outside model.: criterion.weight, accuracy.total",)


def test_what_masked_training_needs_besides_is_left_out(tmp_path: Path) -> None:
    """MAE's decoder, as facebookresearch and transformers save it, and iBOT's mask."""
    state = {name: tensor for name, tensor in state_of().items() if not name.startswith("head.")}
    extra = {"mask_token": torch.ones(1), "masked_embed": torch.ones(1), "decoder_blocks.0.norm1.weight": torch.ones(8)}
    torch.save({"model": state | extra}, tmp_path / "mae.pth")
    assert set(load_weights(tmp_path / "mae.pth").idle) == extra.keys()
    decoder = {"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
    shape = PAPERS | decoder | {"decoder_intermediate_size": 16}
    model = shaken(transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**shape, mask_ratio=0.0)))
    model.save_pretrained(tmp_path / "transformers")
    weights = load_weights(tmp_path / "transformers")
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = model.vit(images).last_hidden_state[:, 0]
    assert error(ours(weights, images), expected) <= 1e-5
    [note] = proof.of_source(weights)
    assert "computes the same" in note


def test_moco_s_base_encoder_is_taken() -> None:
    base, momentum = state_of(0), state_of(1)
    raw = under("module.base_encoder.", base) | under("module.momentum_encoder.", momentum)
    found = unwrapped({"state_dict": raw, "epoch": 300})
    assert same(found.tensors, base)
    assert found.notes == ("it holds module.base_encoder., module.momentum_encoder.; using module.base_encoder.",)


def test_a_head_of_torchvision_s_that_is_one_layer_is_read(tmp_path: Path) -> None:
    model = torchvision_model()
    model.heads = torch.nn.Linear(128, 5)
    torch.save(shaken(model).state_dict(), tmp_path / "tuned.pth")
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path / "tuned.pth", heads=2), images), asked(model, images)) <= 1e-5


def test_a_head_outside_of_the_backbone_is_left_out_and_said() -> None:
    state = {name: tensor for name, tensor in state_of().items() if not name.startswith("head.")}
    raw = under("backbone.", state) | {"fc.weight": torch.ones(3, 64), "fc.bias": torch.ones(3)}
    found = unwrapped(raw)
    assert same(found.tensors, state)
    assert found.outside == ("fc.weight", "fc.bias")


@pytest.mark.parametrize("make", [
    lambda one, two: {"first": one, "second": two},
    lambda one, two: under("first.", one) | under("second.", two),
])  # fmt: skip
def test_two_models_that_nothing_tells_apart_are_refused(make: Callable[[State, State], Any]) -> None:
    with pytest.raises(CorollaError, match=r"2 models \(first\.?, second\.?\); save one of them"):
        unwrapped(make(state_of(0), state_of(1)))


def test_what_a_pickle_would_run_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": state_of(), "date": datetime.date(2026, 1, 1)}, tmp_path / "dated.ckpt")
    with pytest.raises(
        CorollaError, match=r"holds code, which was not run \(datetime\.date\); save only its state dict"
    ):
        load_weights(tmp_path / "dated.ckpt")


def test_what_is_not_recognized_shows_its_names_and_the_nearest_dialect(tmp_path: Path) -> None:
    state = {f"vit.{name}": tensor for name, tensor in state_of().items() if "patch_embed" not in name}
    torch.save({"model": {}, "state_dict": state}, tmp_path / "odd.pth")
    with pytest.raises(CorollaError) as caught:
        load_weights(tmp_path / "odd.pth")
    assert f"closest is timm ({len(state)} of {len(state)} names), but without patch_embed.proj.weight" in str(
        caught.value
    )
    assert "it holds vit.cls_token, vit.pos_embed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_shows_what_it_holds(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "state.pth")
    with pytest.raises(CorollaError, match=r"holds no weights by name; it holds epoch, lr; give a file"):
        load_weights(tmp_path / "state.pth")


def test_a_folder_of_checkpoints_names_them(tmp_path: Path) -> None:
    torch.save(state_of(), tmp_path / "last.ckpt")
    with pytest.raises(CorollaError, match=r"give one of its files: last\.ckpt"):
        load_weights(tmp_path)
