"""The registry's facts, held against what the libraries themselves know of the same weights."""

import re

import pytest
import timm
import torch
from torchvision.models import vision_transformer

from corolla.errors import CorollaError
from corolla.weights.registry import PUBLISHED, Published, by_file, find, unknown

BY_TIMM = {  # our name, where timm knows the same weights under another
    "dino_vits16": "vit_small_patch16_224.dino", "dino_vits8": "vit_small_patch8_224.dino",
    "dino_vitb16": "vit_base_patch16_224.dino", "dino_vitb8": "vit_base_patch8_224.dino",
    "dinov2_vits14": "vit_small_patch14_dinov2.lvd142m", "dinov2_vits14_reg": "vit_small_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitb14": "vit_base_patch14_dinov2.lvd142m", "dinov2_vitb14_reg": "vit_base_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitl14": "vit_large_patch14_dinov2.lvd142m", "dinov2_vitl14_reg": "vit_large_patch14_reg4_dinov2.lvd142m",
    "mae_vit_base": "vit_base_patch16_224.mae", "mae_vit_large": "vit_large_patch16_224.mae",
}  # fmt: skip
TIMMS = [
    each for each in PUBLISHED if re.match(r"(vit_.*(augreg|dinov3)|deit|dino|eva02|mae_vit_(base|large)$)", each.name)
]
TORCHVISIONS = [each for each in PUBLISHED if each.source.startswith("https://download.pytorch.org")]


def test_every_name_is_there_once() -> None:
    assert len({each.name for each in PUBLISHED}) == len({each.source for each in PUBLISHED}) == len(PUBLISHED)
    assert len(TIMMS) + len(TORCHVISIONS) + 2 == len(PUBLISHED)  # timm has not MAE's two that are fine-tuned


@pytest.mark.parametrize("published", TIMMS, ids=lambda each: each.name)
def test_timm_knows_the_same(published: Published) -> None:
    name = BY_TIMM.get(published.name, published.name)
    config = timm.models.get_pretrained_cfg(name)
    with torch.device("meta"):
        model = timm.create_model(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == published.parameters
    assert config.input_size == (3, published.side, published.side)
    assert published.preprocessing.mean == tuple(config.mean)
    assert published.preprocessing.std == tuple(config.std)
    assert published.preprocessing.interpolation == config.interpolation
    assert published.preprocessing.crop_mode == config.crop_mode
    assert published.family.license.lower().startswith(config.license)
    if published.on_hub:
        assert config.hf_hub_id in (published.source, "timm/")
        assert published.preprocessing.crop_fraction == config.crop_pct
    else:
        assert published.source == config.url


@pytest.mark.parametrize("published", TORCHVISIONS, ids=lambda each: each.name)
def test_torchvision_knows_the_same(published: Published) -> None:
    model, _, weights = published.name.partition(".")
    enum = getattr(
        vision_transformer, f"{model.replace('vit_', 'ViT_').replace('_b', '_B').replace('_l', '_L')}_Weights"
    )
    theirs = enum[weights.upper()]
    asked = theirs.transforms()
    assert theirs.url == published.source
    assert theirs.meta["num_params"] == published.parameters
    assert theirs.meta["_metrics"]["ImageNet-1K"]["acc@1"] == published.accuracy
    assert ("CC-BY-NC" in published.family.license) == ("SWAG" in str(theirs.meta.get("license")))
    assert published.preprocessing.image_size == (asked.crop_size[0], asked.crop_size[0])
    assert published.preprocessing.crop_fraction == asked.crop_size[0] / asked.resize_size[0]
    assert published.preprocessing.interpolation == asked.interpolation.value
    assert published.preprocessing.mean == tuple(asked.mean)
    assert find(f"{enum.__name__}.{theirs.name}") is published


def test_an_accuracy_comes_with_its_source() -> None:
    assert {each.name for each in PUBLISHED if (each.accuracy is None) == bool(each.family.measured)} == set()


def test_a_misspelled_name_is_set_right() -> None:
    said = unknown("vit_smal_patch16_224.augreg_in21k")
    assert isinstance(said, CorollaError)
    assert "vit_small_patch16_224.augreg_in21k" in str(said)
    assert "similar: vit_b_16.imagenet1k_v1, vit_b_16.imagenet1k_swag" in str(unknown("ViT_B_16"))
    assert "weights list" in str(unknown("resnet"))


def test_a_copy_of_a_file_is_known_by_its_name() -> None:
    assert by_file("dinov2_vits14_pretrain.pth") is find("dinov2_vits14")
    assert by_file("pretrain.pth") is by_file("model.safetensors") is None
