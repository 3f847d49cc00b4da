"""What shapes leave open: two readings of positions are told apart by what lies beside them, or asked about."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.weights import load_weights
from corolla.weights.formats import TIMM
from corolla.weights.hints import CheckpointHints
from corolla.weights.renaming import to_theirs
from corolla.weights.shapes import num_heads_of
from references import asked, error, ours, shaken

SMALL: dict[str, Any] = {"embed_dim": 64, "depth": 1, "num_heads": 1, "patch_size": 16, "num_classes": 3}


def saved(folder: Path, settings: dict[str, Any] | None = None, **shape: Any) -> torch.nn.Module:
    """A model of timm, and its bare state dict with `settings` beside it."""
    model = shaken(timm.create_model("vit_base_patch16_224", **SMALL | shape))
    torch.save(model.state_dict(), folder / "bare.pth")
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
    return model


def agrees(folder: Path, model: torch.nn.Module, size: tuple[int, int]) -> bool:
    weights = load_weights(folder / "bare.pth")
    images = torch.randn(2, 3, *size)
    return weights.config.image_size == size and error(ours(weights, images), asked(model, images)) <= 1e-5


def test_25_positions_beside_a_class_token_are_asked_about(tmp_path: Path) -> None:
    """24 patches of a wide image and the class token, or 25 patches and none for it."""
    saved(tmp_path, img_size=(64, 96))
    with pytest.raises(CorollaError) as caught:
        load_weights(tmp_path / "bare.pth")
    assert (
        "their 25 positions may be for 5 x 5 patches (an image 80 high and 80 wide) and none for other tokens, or for "
        "24 patches (an image that is not square) and 1 for other tokens; put a config.json with "
        '{"img_size": [HEIGHT, WIDTH]} beside them'
    ) in str(caught.value)


@pytest.mark.parametrize("settings", [
    {"img_size": [64, 96]},
    {"model_args": {"img_size": [64, 96]}},
    {"pretrained_cfg": {"input_size": [3, 64, 96]}},
    {"architecture": "vit_base_patch16_224", "pretrained_cfg": {"input_size": [3, 64, 96]}},
])  # fmt: skip
def test_what_is_told_of_the_image_settles_it(settings: dict[str, Any], tmp_path: Path) -> None:
    assert agrees(tmp_path, saved(tmp_path, settings, img_size=(64, 96)), (64, 96))


@pytest.mark.parametrize("settings", [
    {"img_size": [80, 80]}, {"img_size": 80}, {"model_args": {"no_embed_class": True}},
    {"architecture": "deit3_base_patch16_224"},
])  # fmt: skip
def test_no_position_for_the_class_token_is_told_too(settings: dict[str, Any], tmp_path: Path) -> None:
    assert agrees(tmp_path, saved(tmp_path, settings, img_size=80, no_embed_class=True), (80, 80))


@pytest.mark.parametrize("shape", [{"init_values": 1e-5}, {"reg_tokens": 2}])
def test_kinds_that_give_the_class_token_none_need_not_be_told(shape: dict[str, Any], tmp_path: Path) -> None:
    assert agrees(tmp_path, saved(tmp_path, img_size=80, no_embed_class=True, **shape), (80, 80))


def test_without_a_class_token_there_is_one_reading(tmp_path: Path) -> None:
    model = saved(tmp_path, img_size=80, class_token=False, global_pool="avg", fc_norm=False)
    assert agrees(tmp_path, model, (80, 80))


def test_the_positions_of_registers_are_added_to_them(tmp_path: Path) -> None:
    assert agrees(tmp_path, saved(tmp_path, img_size=64, reg_tokens=3), (64, 64))


def test_an_image_that_is_not_square_has_to_be_told(tmp_path: Path) -> None:
    saved(tmp_path, img_size=(48, 80))
    with pytest.raises(CorollaError, match=r"16 positions may be for 4 x 4 patches .* or for 15 patches"):
        load_weights(tmp_path / "bare.pth")
    saved(tmp_path, img_size=(48, 64))
    with pytest.raises(CorollaError, match=r"13 positions do not fit a square image; put a config\.json with"):
        load_weights(tmp_path / "bare.pth")


@pytest.mark.parametrize(("settings", "words"), [
    ({"depth": 2}, "its settings say depth 2, but its tensors have 1"),
    ({"embed_dim": 128}, "its settings say embed_dim 128, but its tensors have 64"),
    ({"patch_size": 8}, "its settings say patch_size 8, but its tensors have 16"),
    ({"act_layer": "silu"}, "its settings have a SiLU with a gate, but its tensors are for a GELU without a gate"),
])  # fmt: skip
def test_settings_of_another_model_are_refused(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    saved(tmp_path, {"model_args": settings}, img_size=64)
    with pytest.raises(CorollaError, match=words):
        load_weights(tmp_path / "bare.pth")


def test_missing_biases_are_zeros_only_where_that_is_told(tmp_path: Path) -> None:
    """Blocks normalized after their branches, as in timm's `vit_base_patch16_rpn_224`, lack them too."""
    model = saved(tmp_path, img_size=64, qkv_bias=False)
    with pytest.raises(CorollaError, match=r"missing \(blocks\.0\.attn\.qkv\.bias\)"):
        load_weights(tmp_path / "bare.pth")
    (tmp_path / "config.json").write_text(json.dumps({"model_args": {"qkv_bias": False}}))
    assert agrees(tmp_path, model, (64, 64))


@pytest.mark.parametrize(
    ("width", "heads"), [(192, 3), (768, 12), (1536, 24), (1280, 16), (1152, 16), (1408, 16), (1664, 16)]
)
def test_heads_are_as_many_as_published_models_of_the_width_have(width: int, heads: int) -> None:
    assert num_heads_of(width, CheckpointHints()) == heads
    assert num_heads_of(width, CheckpointHints(num_heads=2)) == 2


def test_a_norm_after_the_class_token_is_taken_is_the_norm_before(tmp_path: Path) -> None:
    settings = {"model_args": {"global_pool": "token", "fc_norm": True}}
    assert agrees(tmp_path, saved(tmp_path, settings, img_size=64, fc_norm=True), (64, 64))


def test_ours_is_read_the_same_with_and_without_a_square(tmp_path: Path) -> None:
    config = ViTConfig(3, (32, 48), 8, 64, 2, 1, 96)
    torch.save(to_theirs(ViT(config).state_dict(), TIMM.table, "gelu").tensors, tmp_path / "bare.pth")
    (tmp_path / "config.json").write_text(json.dumps({"image_size": [32, 48]}))
    assert load_weights(tmp_path / "bare.pth").config == config
