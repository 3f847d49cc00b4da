"""Checkpoints with rotary positions: what tells how they turn, held against timm's own, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from safetensors.torch import load_file, save_file
from timm.models.eva import checkpoint_filter_fn
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.weights import Weights, load_weights, write_weights
from corolla.weights.formats import TIMM
from corolla.weights.hints import Turning
from corolla.weights.loading import read_weights
from corolla.weights.renaming import to_ours
from corolla.weights.rotary import completed, reordered
from corolla.weights.timm_eva import entry_of
from corolla.weights.timm_settings import ARCHITECTURES, told_by_timm
from references import (
    DINOV3,
    OURS,
    REFERENCES,
    SIZES,
    asked,
    attentive,
    error,
    hybrid,
    ours,
    shaken,
    timm_again,
    timm_model,
)

SHAPE: dict[str, Any] = {"embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": 32, "patch_size": 8}
KINDS = {"RotaryEmbeddingDinoV3": "centered", "RotaryEmbeddingCat": "counted"}
ROTARY = replace(OURS, pos_embed="none", rotary="centered", num_reg_tokens=2, layer_scale=0.1)


def stirred(config: ViTConfig) -> Weights:
    """Weights of ours with queries and keys so long, and branches so strong, that how they are turned shows."""
    weights = hybrid(config)
    tensors = {
        name: tensor * 5 if name.endswith("attn.qkv.weight") else tensor + name.endswith(".gamma")
        for name, tensor in weights.tensors.items()
    }
    return replace(weights, tensors=tensors)


def refused(path: Path) -> str:
    with pytest.raises(CorollaError) as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", timm.list_models(module="eva"))
def test_the_architectures_of_timm_are_what_timm_makes_of_them_or_refused(name: str) -> None:
    if re.search("mixed|enormous|_pe_|sapiens2", name):
        with pytest.raises(ValueError, match=f'its architecture is "{name}", and corolla computes only plain ViTs'):
            told_by_timm({"architecture": name})
        return
    with torch.device("meta"):
        model: Any = timm.create_model(name, depth=1)
    theirs = completed(dict(model.state_dict()))
    assert to_ours(theirs, TIMM.table).unknown == []
    told, rope, block = told_by_timm({"architecture": f"{name}.some_tag"}), model.rope, model.blocks[0]
    assert (told.num_heads, told.epsilon, told.plain) == (block.attn.num_heads, block.norm1.eps, False)
    assert told.global_pool == model.global_pool
    assert model.pos_embed is None or told.class_position is not model.no_embed_class
    turning = told.turning
    assert turning is not None
    assert (turning.rotary == "none") == (rope is None)
    if rope is not None:
        assert turning.rotary == KINDS[type(rope).__name__]
        assert turning.rotary_base == rope.temperature
        assert turning.rotary_grid == getattr(rope, "ref_feat_shape", None)
        assert turning.neighbors != rope.rotate_half
        assert turning.columns_first == (rope.grid_indexing == "xy")
        assert rope.grid_offset == 0


def test_an_architecture_is_of_one_kind() -> None:
    assert not [name for name in timm.list_models() if entry_of(name) and ARCHITECTURES.fullmatch(name)]
    assert not [name for name in timm.list_models() if entry_of(name) and name not in timm.list_models(module="eva")]


@pytest.mark.parametrize("name", ["timm DINOv3", "timm EVA-02 Ti", "timm RoPE-ViT", "transformers DINOv3"])
def test_turned_otherwise_it_answers_otherwise(name: str, tmp_path: Path) -> None:
    """So that equal answers say that queries and keys are turned equally."""
    reference = REFERENCES[name]
    weights = load_weights(reference.save(reference.make(), tmp_path))
    images = torch.randn(2, 3, 32, 48)
    expected, config = ours(weights, images), weights.config
    kind = "counted" if config.rotary == "centered" else "centered"
    for change in ({"rotary": kind}, {"rotary_base": config.rotary_base * 2}):
        assert error(ours(replace(weights, config=replace(config, **change)), images), expected) > 1e-3
    for turning in (Turning("counted", 100.0, neighbors=True), Turning("counted", 100.0, columns_first=True)):
        other = replace(weights, tensors=reordered(weights.tensors, turning, config.num_heads))
        assert error(ours(other, images), expected) > 1e-3


def as_published(model: nn.Module, periods: int) -> dict[str, Tensor]:
    """timm's DINOv3 by the names of facebookresearch's files, with all that those hold besides."""
    named = {}
    renamed = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma", "fc1_g": "w1",
               "fc1_x": "w2"}  # fmt: skip
    gated = any("fc1_g" in name for name in model.state_dict())
    for name, tensor in model.state_dict().items():
        for old, new in (renamed | ({"mlp.fc2": "mlp.w3"} if gated else {})).items():
            name = name.replace(old, new)
        named[name] = tensor
    for name in [name for name in named if name.endswith("q_bias")]:
        q, v = named.pop(name), named.pop(name.replace("q_bias", "v_bias"))
        where = name.replace("q_bias", "qkv.bias")
        named[where] = torch.cat([q, torch.randn_like(q), v])  # keys have none, whatever stands there
        named[f"{where}_mask"] = torch.cat([torch.ones_like(q), torch.zeros_like(q), torch.ones_like(v)])
    width = model.state_dict()["cls_token"].shape[-1]
    exact = 100.0 ** (torch.arange(periods) / periods)
    return named | {
        "mask_token": torch.randn(1, width),
        "rope_embed.periods": exact.bfloat16().float(),
        "local_cls_norm.weight": torch.randn(width),
        "local_cls_norm.bias": torch.randn(width),
    }


@pytest.mark.parametrize("name", ["vit_small_patch16_dinov3_qkvb", "vit_small_plus_patch16_dinov3_qkvb"])
def test_dinov3s_own_files_need_nothing_beside_them(name: str, tmp_path: Path) -> None:
    theirs = attentive(timm_model(name, num_classes=0)).make()
    published = as_published(theirs, periods=4)
    again = timm.create_model(name, num_classes=0, dynamic_img_size=True, global_pool="token", **SHAPE).eval()
    again.load_state_dict(checkpoint_filter_fn(dict(published), again))  # as timm reads them
    torch.save(published, tmp_path / "dinov3.pth")
    weights = load_weights(tmp_path / "dinov3.pth")
    assert (weights.config.num_heads, weights.config.num_reg_tokens, weights.config.rotary_base) == (3, 4, 100.0)
    assert weights.idle == ("mask_token", "local_cls_norm.weight", "local_cls_norm.bias")
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        assert error(ours(weights, images), asked(again, images)) <= 1e-5


def test_heads_of_any_width_are_read_off_the_periods(tmp_path: Path) -> None:
    """DINOv3's largest has heads of 128 channels where all others have 64."""
    shape = SHAPE | {"num_heads": 2}
    theirs = timm.create_model("vit_small_patch16_dinov3_qkvb", num_classes=0, **shape)
    torch.save(as_published(theirs, periods=6), tmp_path / "dinov3.pth")
    assert load_weights(tmp_path / "dinov3.pth").config.num_heads == 2


def test_periods_that_are_none_of_ours_are_refused(tmp_path: Path) -> None:
    published = as_published(timm.create_model("vit_small_patch16_dinov3_qkvb", num_classes=0, **SHAPE), periods=4)
    huge, nan = torch.full((4,), 1e308, dtype=torch.float64), torch.full((2, 2), float("nan"))
    for periods in (torch.linspace(1, 32, 4), torch.zeros(4), torch.ones(1), huge, nan):
        torch.save(published | {"rope_embed.periods": periods}, tmp_path / "dinov3.pth")
        assert "not powers of one base" in refused(tmp_path / "dinov3.pth")


@pytest.mark.parametrize("name", ["timm DINOv3", "timm EVA-02 Ti", "timm EVA-02 B", "timm RoPE-ViT"])
def test_a_bare_file_of_timm_is_not_guessed_at(name: str, tmp_path: Path) -> None:
    theirs = REFERENCES[name].make()
    torch.save(theirs.state_dict(), tmp_path / "bare.pth")
    said = refused(tmp_path / "bare.pth")
    assert 'add a config.json that names their architecture in timm, such as {"architecture":' in said
    told = {"architecture": theirs.pretrained_cfg["architecture"], "num_attention_heads": 3}
    (tmp_path / "config.json").write_text(json.dumps(told))
    images = torch.randn(2, 3, 32, 48)
    assert error(ours(load_weights(tmp_path / "bare.pth"), images), asked(theirs, images)) <= 1e-5


def test_a_token_read_before_its_norm_is_read_so_in_a_plain_one_too(tmp_path: Path) -> None:
    shape = SHAPE | {"num_classes": 4, "global_pool": "token", "fc_norm": True}
    theirs = shaken(timm.create_model("vit_base_patch16_224", **shape))
    timm.models.save_for_hf(theirs, tmp_path, safe_serialization=True)
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 3, "global_pool": "token"}))
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path), images), asked(theirs, images)) <= 1e-5


@pytest.mark.parametrize(("name", "changes"), [
    ("vit_small_patch16_rope_224", {"rope_temperature": 50.0}),
    ("vit_small_patch16_rope_224", {"rope_grid_indexing": "ij", "rope_rotate_half": True}),
    ("vit_small_patch16_rope_224", {"ref_feat_shape": 7, "num_heads": 2}),
    ("vit_small_patch16_rope_224", {"qkv_bias": False, "qkv_fused": False, "attn_type": "eva"}),
    ("vit_small_patch16_rope_224", {"scale_mlp": True, "scale_attn_inner": True, "swiglu_mlp": True}),
    ("vit_small_patch16_rope_224", {"global_pool": "avg", "use_fc_norm": True}),
    ("vit_small_patch16_rope_224", {"num_reg_tokens": 2, "use_abs_pos_emb": True}),
    ("vit_small_patch16_rope_ape_224", {"img_size": (32, 40)}),
    ("vit_small_patch16_rope_ape_224", {"no_embed_class": False, "img_size": 40}),
    ("vit_small_patch16_rope_ape_224", {"use_rot_pos_emb": False}),
    ("vit_small_patch16_dinov3", {"rope_temperature": 10.0, "rope_grid_indexing": "xy", "rope_rotate_half": False}),
    ("vit_small_patch16_dinov3", {"rope_jitter_coords": 2.0, "rope_rescale_coords": 2.0, "drop_path_rate": 0.1}),
])  # fmt: skip
def test_what_we_compute_is_honored(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = shaken(timm.create_model(name, **SHAPE | {"num_classes": 4} | changes))
    timm.models.save_for_hf(theirs, tmp_path, safe_serialization=True)
    weights = load_weights(tmp_path)
    images = torch.randn(2, 3, *theirs.patch_embed.img_size)
    assert weights.config.image_size == theirs.patch_embed.img_size
    assert error(ours(weights, images), asked(theirs, images)) <= 1e-5


def test_a_bare_file_that_may_be_of_two_architectures_says_as_which_it_is_read(tmp_path: Path) -> None:
    small = {"embed_dim": 64, "num_heads": 1, "depth": 1, "num_classes": 4}
    for name in ("vit_small_patch16_rope_ape_224", "deit3_small_patch16_224"):
        save_file(timm.create_model(name, **small).state_dict(), tmp_path / f"{name}.safetensors")
    [note] = load_weights(tmp_path / "vit_small_patch16_rope_ape_224.safetensors").notes
    assert "read as DeiT III" in note
    assert "vit_*_patch16_rope_ape_224" in note
    assert read_weights(tmp_path / "vit_small_patch16_rope_ape_224.safetensors", known=True).notes == ()  # published
    assert load_weights(tmp_path / "deit3_small_patch16_224.safetensors").notes == ()  # timm's names are its own


@pytest.mark.parametrize(("change", "words"), [
    ({"rope_type": "mixed"}, 'rope_type is "mixed", and corolla computes only "cat" or "dinov3"'),
    ({"rope_type": "mrope"}, 'rope_type is "mrope"'),
    ({"rope_type": None}, 'rope_type is null, and corolla computes only "cat" or "dinov3"'),
    ({"rope_grid_indexing": "yx"}, 'rope_grid_indexing is "yx", and corolla computes only "ij" or "xy"'),
    ({"rope_grid_offset": 1.0}, "rope_grid_offset is 1.0, and corolla computes only 0.0"),
    ({"rope_rotate_half": "no"}, 'rope_rotate_half is "no", and corolla computes only true or false'),
    ({"rope_mrope_section": [8, 12, 12]}, "rope_mrope_section is [8, 12, 12], and corolla computes only the usual one"),
    ({"use_post_norm": True}, "use_post_norm is true, and corolla computes only false"),
    ({"use_pre_transformer_norm": True}, "use_pre_transformer_norm is true, and corolla computes only false"),
    ({"qk_norm": True}, "qk_norm is true, and corolla computes only false"),
    ({"num_kv_heads": 1}, "num_kv_heads is 1, and corolla computes only the usual one"),
    ({"norm_layer": "rmsnorm"}, 'norm_layer is "rmsnorm", and corolla computes only the usual one'),
    ({"global_pool": "map"}, 'global_pool is "map", and corolla computes only "token" or "avg"'),
    ({"ref_feat_shape": [7]}, "ref_feat_shape is [7]; it should be one or two integers"),
    ({"rope_temperature": None}, "rope_temperature is null; it should be a number above 1"),
    ({"rope_temperature": True}, "rope_temperature is true; it should be a number above 1"),
    ({"num_heads": 24}, "multiple of 4, not"),
    ({"swiglu_mlp": True}, "its settings have a SiLU with a gate, but its tensors are for a GELU"),
    ({"depth": 3}, "its settings say depth 3, but its tensors have 2"),
    ({"rope_theta": 7}, "it has model_args.rope_theta: 7, and corolla does not know whether that changes what timm"),
    ({"act_layer": "gelu"}, 'it has model_args.act_layer: "gelu"'),  # no argument of this class
])  # fmt: skip
def test_what_turns_otherwise_is_refused_by_key_and_value(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    reference = REFERENCES["timm RoPE-ViT"]
    folder = reference.save(reference.make(), tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    told = settings | {"model_args": settings["model_args"] | change}
    (folder / "config.json").write_text(json.dumps(told))
    assert words in refused(folder)


@pytest.mark.parametrize(("settings", "words"), [
    ({"architecture": "vit_small_patch16_224"}, "without rotary positions, and its tensors have"),
    ({"architecture": "eva02_tiny_patch14_224"}, "have other rotary positions than its rope_embed.periods"),
    ({"num_heads": 2}, "have 2 heads, but its rope_embed.periods are for 3"),
])  # fmt: skip
def test_settings_that_contradict_dinov3s_own_files_are_refused(
    settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    published = as_published(timm.create_model("vit_small_patch16_dinov3_qkvb", num_classes=0, **SHAPE), periods=4)
    torch.save(published, tmp_path / "dinov3.pth")
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert words in refused(tmp_path / "dinov3.pth")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "vit_small_patch16_dinov3_qkvb", "num_heads": 3}))
    assert load_weights(tmp_path / "dinov3.pth").config.rotary == "centered"


def test_rotary_settings_beside_other_tensors_are_refused(tmp_path: Path) -> None:
    reference = REFERENCES["transformers DINOv2"]
    folder = reference.save(reference.make(), tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    told = {key: settings[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "image_size")}
    (folder / "config.json").write_text(json.dumps(told | {"model_type": "dinov3_vit"}))
    assert "its settings have rotary positions, but the names of its tensors do not match" in refused(folder)


@pytest.mark.parametrize("changes", [
    {"rope_theta": 50.0}, {"layer_norm_eps": 1e-3}, {"num_attention_heads": 2}, {"num_register_tokens": 0},
    {"query_bias": False, "value_bias": False}, {"key_bias": True}, {"proj_bias": False, "mlp_bias": False},
    {"hidden_act": "gelu_python", "attention_dropout": 0.1, "pos_embed_jitter": 2.0, "pos_embed_shift": 1.0},
    {"use_gated_mlp": True, "hidden_act": "swish"}, {"image_size": [32, 48]},
])  # fmt: skip
def test_what_we_compute_of_transformers_is_honored(changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = shaken(transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**DINOV3 | changes)))
    theirs.save_pretrained(tmp_path)
    weights, images = load_weights(tmp_path), torch.randn(2, 3, 32, 48)
    assert error(ours(weights, images), asked(theirs, images)) <= 1e-5
    assert weights.config.image_size == ((32, 48) if "image_size" in changes else (32, 32))


@pytest.mark.parametrize(("change", "words"), [
    ({"hidden_act": "gelu"}, 'its hidden_act is "gelu", and corolla computes only "silu" in an MLP with a gate'),
    ({"hidden_act": None}, 'its hidden_act is "gelu", and corolla computes only "silu"'),  # which it then is there
    ({"use_gated_mlp": False}, 'its hidden_act is "silu", and corolla computes only "gelu"'),
    ({"use_gated_mlp": False, "hidden_act": "gelu"}, "its settings have a GELU without a gate"),
    ({"rope_theta": "far"}, 'its rope_theta is "far"; it should be a number above 1, such as 100'),
    ({"num_channels": 1}, "its num_channels is 1, and corolla computes only 3"),
    ({"rope_scaling": {"factor": 2}}, 'it has rope_scaling: {"factor": 2}, and corolla does not know whether'),
    ({"model_type": "vit", "hidden_act": "gelu"}, "it has attention_dropout: 0.0"),  # and the rest of its own
])  # fmt: skip
def test_what_we_do_not_compute_of_transformers_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    reference = REFERENCES["transformers DINOv3, SwiGLU"]
    folder = reference.save(reference.make(), tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | change))
    assert words in refused(folder)


def test_transformers_settings_are_needed(tmp_path: Path) -> None:
    reference = REFERENCES["transformers DINOv3"]
    folder = reference.save(reference.make(), tmp_path)
    (folder / "config.json").unlink()
    assert "how many heads there are; add their config.json" in refused(folder)


def test_transformers_names_of_before_its_fifth_version(tmp_path: Path) -> None:
    """The files that are published have no `model.` in front of their layers, newer ones may."""
    theirs = REFERENCES["transformers DINOv3"].make()
    images = torch.randn(2, 3, 32, 48)
    for place in ("old", "new"):
        folder = REFERENCES["transformers DINOv3"].save(theirs, tmp_path / place)
        tensors = load_file(folder / "model.safetensors")
        plain = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
        named = {f"model.{n}" if place == "new" and n.startswith("layer.") else n: t for n, t in plain.items()}
        save_file(named, folder / "model.safetensors")
        assert error(ours(load_weights(folder), images), asked(theirs, images)) <= 1e-5


def test_a_bias_that_is_lost_in_one_block_is_missed(tmp_path: Path) -> None:
    reference = REFERENCES["timm EVA-02 B"]
    folder = reference.save(reference.make(), tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["blocks.1.mlp.fc2.bias"]
    save_file(tensors, folder / "model.safetensors")
    assert "missing (blocks.1.mlp.fc2.bias)" in refused(folder)


def headless(weights: Weights) -> Weights:
    tensors = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith("head.")}
    return replace(weights, tensors=tensors, classes=None)


def test_what_a_library_cannot_say_is_refused_in_a_line_and_nothing_written(tmp_path: Path) -> None:
    centered, counted = hybrid(ROTARY), hybrid(replace(ROTARY, rotary="counted", pos_embed="learned"))
    inside = hybrid(replace(OURS, norm_in_mlp=True))
    for weights, to, words in (
        (centered, "torchvision", "rotary positions"),
        (centered, "google", "rotary positions"),
        (inside, "torchvision", "norms inside the blocks' branches"),
        (headless(counted), "huggingface", "rotary positions beside added ones, rotary positions that are counted"),
        (headless(inside), "huggingface", "norms inside the blocks' branches"),
        (headless(hybrid(replace(ROTARY, global_pool="avg"))), "huggingface", "average pooling"),
        (headless(hybrid(replace(ROTARY, distilled=True))), "timm", "a distillation token"),
    ):
        with pytest.raises(CorollaError, match="cannot represent") as caught:
            write_weights(weights, tmp_path / "out", to)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", [
    {}, {"rotary": "counted", "rotary_base": 10_000.0, "rotary_grid": (7, 9), "pos_embed": "learned"},
    {"global_pool": "avg", "norm_eps": 1e-5, "activation": "swiglu", "norm_in_mlp": True},
    {"rotary": "none", "pos_embed": "learned", "norm_in_attention": True, "num_reg_tokens": 0, "layer_scale": None},
    {"global_pool": "avg", "norm_after_pooling": True, "pos_embed": "sincos"},
    {"mlp_dim": 488, "embed_dim": 56, "num_heads": 2, "image_size": (32, 48)},
])  # fmt: skip
def test_timm_has_words_for_whatever_of_ours_its_eva_can_be(change: dict[str, Any], tmp_path: Path) -> None:
    weights = stirred(replace(ROTARY, **change))
    assert write_weights(weights, tmp_path / "out", "timm").needs is None
    images = torch.randn(2, 3, *weights.config.image_size)
    assert error(asked(timm_again(tmp_path / "out"), images), ours(weights, images)) <= 1e-5


def test_a_head_on_rotary_positions_goes_to_transformers_by_the_bridge(tmp_path: Path) -> None:
    import corolla.bridges.transformers

    weights = stirred(ROTARY)
    assert write_weights(weights, tmp_path / "out", "huggingface").needs == corolla.bridges.transformers.__name__
    model = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "out").eval()
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        assert error(asked(model, images), ours(weights, images)) <= 1e-5


def test_a_width_times_a_ratio_is_not_cut_below_the_mlps_width(tmp_path: Path) -> None:
    """int(56 * (488 / 56)) is 487."""
    weights = stirred(replace(OURS, mlp_dim=488, embed_dim=56, num_heads=2))
    write_weights(weights, tmp_path / "out", "timm")
    images = torch.randn(2, 3, 32, 32)
    assert error(asked(timm_again(tmp_path / "out"), images), ours(weights, images)) <= 1e-5
