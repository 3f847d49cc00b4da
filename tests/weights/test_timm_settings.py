"""timm's config.json: each key that changes the computation is honored as timm does it, or refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models.vision_transformer import Block

from corolla.errors import CorollaError
from corolla.weights import load_weights
from corolla.weights.hints import CheckpointHints
from corolla.weights.shapes import num_heads_of
from corolla.weights.timm_settings import ARCHITECTURES, told_by_timm
from references import asked, error, ours, shaken

SHAPE: dict[str, Any] = {"embed_dim": 64, "depth": 1, "num_heads": 1, "img_size": 32, "patch_size": 8, "num_classes": 4}
PUBLISHED = [name for name in timm.list_models() if ARCHITECTURES.fullmatch(name)]


def saved(folder: Path, name: str = "vit_base_patch16_224", told: dict[str, Any] | None = None, **shape: Any) -> Any:
    """A model as timm pushes it to the Hub, its config.json changed by `told`."""
    model = shaken(timm.create_model(name, **SHAPE | shape))
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | (told or {})))
    return model


def refused(folder: Path) -> str:
    with pytest.raises(CorollaError) as caught:
        load_weights(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_table_has_what_people_use() -> None:
    assert len(PUBLISHED) > 70
    assert {"vit_base_patch16_224", "deit3_small_patch16_224", "vit_small_patch14_reg4_dinov2"} <= set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_architecture_that_we_read_is_built_as_ours(name: str) -> None:
    """What no shape and no key tells, as timm itself builds it."""
    with torch.device("meta"):
        model = timm.create_model(name, depth=1)
    block, told = model.blocks[0], told_by_timm({"architecture": name})
    assert type(model).__name__ in ("VisionTransformer", "VisionTransformerDistilled")
    assert type(block) is Block
    assert type(block.attn).__name__ == "Attention"
    assert (type(block.mlp).__name__, type(block.mlp.act).__name__) in (("Mlp", "GELU"), ("GluMlp", "SiLU"))
    assert getattr(block.mlp.act, "approximate", "none") == "none"
    assert {block.norm1.eps, block.norm2.eps} == {1e-6}
    assert model.global_pool == told.global_pool
    assert told.class_position is not model.no_embed_class
    assert block.attn.num_heads == num_heads_of(model.embed_dim, CheckpointHints())
    assert not model.pool_include_prefix
    assert sum(isinstance(norm, torch.nn.LayerNorm) for norm in (model.norm, model.fc_norm)) == 1
    assert isinstance(model.norm_pre, torch.nn.Identity)


@pytest.mark.parametrize("name", [
    "vit_large_patch16_siglip_gap_512", "vit_so400m_patch16_siglip_gap_256",  # another GELU
    "vit_base_patch16_rpn_224",  # norms after the branches
    "vit_small_patch16_rope_mixed_224", "vit_pe_core_base_patch16_224",  # other rotary positions
    "eva02_enormous_patch14_clip_224", "vit_huge_plus_patch16_dinov3_and_more", "vit_wide_patch16_dinov3",
    "vit_base_patch16_clip_quickgelu_224", "vit_base_patch16_clip_224", "resnet50", "vit_base_patch16_224_and_more",
])  # fmt: skip
def test_an_architecture_of_another_kind_is_refused_by_name(name: str, tmp_path: Path) -> None:
    saved(tmp_path, told={"architecture": name})
    assert f'its architecture is "{name}", and corolla computes only plain ViTs' in refused(tmp_path)


@pytest.mark.parametrize("shape", [
    {}, {"global_pool": "avg"}, {"global_pool": "avg", "fc_norm": False}, {"global_pool": "token"},
    {"class_token": False, "global_pool": "avg"}, {"reg_tokens": 2, "no_embed_class": True}, {"reg_tokens": 2},
    {"qkv_bias": False}, {"init_values": 1e-4}, {"act_layer": "gelu"}, {"norm_layer": "layernorm"},
    {"dynamic_img_size": True, "drop_path_rate": 0.1}, {"num_heads": 2}, {"img_size": (32, 48)}, {"num_classes": 0},
])  # fmt: skip
def test_what_we_compute_is_honored(shape: dict[str, Any], tmp_path: Path) -> None:
    model = saved(tmp_path, **shape)
    images = torch.randn(2, 3, *load_weights(tmp_path).config.image_size)
    assert error(ours(load_weights(tmp_path), images), asked(model, images)) <= 1e-5


@pytest.mark.parametrize(("key", "value"), [
    ("global_pool", "max"), ("global_pool", "avgmax"), ("act_layer", "relu"), ("act_layer", "quick_gelu"),
    ("act_layer", "gelu_tanh"), ("norm_layer", "rmsnorm"), ("pool_include_prefix", True), ("pre_norm", True),
    ("qk_norm", True), ("pos_embed", "none"), ("final_norm", False), ("attn_layer", "diff"), ("in_chans", 1),
    ("proj_bias", False), ("scale_attn_norm", True), ("use_naflex", True), ("mlp_layer", "swiglu"),
])  # fmt: skip
def test_what_we_do_not_compute_is_refused_by_key_and_value(key: str, value: Any, tmp_path: Path) -> None:
    arguments = {"global_pool": "avg"} | {key: value} if key == "pool_include_prefix" else {key: value}
    saved(tmp_path, told={"model_args": arguments})
    said = refused(tmp_path)
    assert f"{key} is {json.dumps(value)}, and corolla computes only" in said
    assert "use it with timm itself" in said


@pytest.mark.parametrize(("place", "key"), [("model_args", "rope_theta"), ("pretrained_cfg", "rescale")])
def test_what_we_do_not_know_is_refused_by_key_and_value(place: str, key: str, tmp_path: Path) -> None:
    saved(tmp_path)
    told = json.loads((tmp_path / "config.json").read_text())
    told[place] = told.get(place, {}) | {key: 7}
    (tmp_path / "config.json").write_text(json.dumps(told))
    assert f"it has {place}.{key}: 7, and corolla does not know whether that changes what timm computes" in refused(
        tmp_path
    )


def test_what_timm_reads_nothing_of_is_passed_over(tmp_path: Path) -> None:
    model = saved(tmp_path, told={"author": "me", "epochs": 300})
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path), images), asked(model, images)) <= 1e-5


def test_a_remark_that_contradicts_what_timm_builds_is_refused(tmp_path: Path) -> None:
    """timm reads `global_pool` in model_args alone; at the top it is a remark of what was trained."""
    saved(tmp_path, told={"global_pool": "avg"})
    assert '"avg" at the top level, but timm builds vit_base_patch16_224 with "token"' in refused(tmp_path)


def test_a_label_offset_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    told = json.loads((tmp_path / "config.json").read_text())
    told["pretrained_cfg"]["label_offset"] = 1
    (tmp_path / "config.json").write_text(json.dumps(told))
    assert "its pretrained_cfg.label_offset is 1" in refused(tmp_path)


def test_settings_of_one_level_are_read_as_timm_reads_them(tmp_path: Path) -> None:
    """As timm's first repositories have them."""
    model = saved(tmp_path)
    flat = {"architecture": "vit_base_patch16_224", "num_classes": 4, "num_features": 64, "input_size": [3, 32, 32],
            "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2], "crop_pct": 0.8, "interpolation": "bilinear",
            "labels": ["a", "b", "c", "d"], "pool_size": None, "url": ""}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(flat))
    weights = load_weights(tmp_path, heads=1)
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(weights, images), asked(model, images)) <= 1e-5
    assert weights.preprocessing is not None
    assert (weights.preprocessing.mean, weights.preprocessing.crop_fraction) == ((0.4, 0.5, 0.6), 0.8)
