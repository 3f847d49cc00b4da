"""How images are prepared, as timm's and transformers' own processors do it, or refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corolla.painted import paint
from corolla.preprocessing import Preprocessing
from corolla.weights.images import from_hugging_face, from_timm, said_by_hugging_face, sides, to_hugging_face, to_timm

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
VIT = {"image_processor_type": "ViTImageProcessor", "image_mean": list(MEAN), "image_std": list(STD)}
BIT = VIT | {"image_processor_type": "BitImageProcessor"}
PHOTOGRAPH = paint("rose", 3, 240).crop((0, 30, 240, 170))  # wide, and nowhere of one color


@given(
    st.integers(1, 512),
    st.integers(1, 512),
    st.floats(0.5, 1),
    st.sampled_from(["bilinear", "bicubic"]),
    st.sampled_from(["center", "squash"]),
)
def test_timms_words_go_there_and_back(height: int, width: int, crop: float, interpolation: Any, mode: Any) -> None:
    preprocessing = Preprocessing((height, width), crop, interpolation, MEAN, STD, mode)
    assert from_timm({"pretrained_cfg": to_timm(preprocessing)}) == preprocessing


@pytest.mark.parametrize("preprocessing", [
    Preprocessing((64, 64), 0.5, "bilinear", MEAN, STD), Preprocessing((64, 96), 1.0, "bicubic", MEAN, STD, "squash"),
    Preprocessing((56, 112), 0.875, "bicubic", MEAN, STD, "squash"),
])  # fmt: skip
def test_hugging_faces_words_go_there_and_back(preprocessing: Preprocessing) -> None:
    assert said_by_hugging_face(preprocessing)
    assert from_hugging_face(to_hugging_face(preprocessing)) == preprocessing


def test_what_hugging_face_has_no_words_for_is_squashed() -> None:
    wide = Preprocessing((64, 96), 0.875, "bilinear", MEAN, STD)
    assert not said_by_hugging_face(wide)
    assert from_hugging_face(to_hugging_face(wide)) == Preprocessing((64, 96), 1.0, "bilinear", MEAN, STD, "squash")


def test_settings_that_say_nothing_say_nothing() -> None:
    assert from_timm({}) is None
    assert from_timm({"pretrained_cfg": {"input_size": [3, 32, 32]}}) is None
    assert from_hugging_face({}) is None


@pytest.mark.parametrize("settings", [
    {"input_size": [3, 96, 96], "crop_pct": 0.9, "interpolation": "bicubic", "crop_mode": "center"},
    {"input_size": [3, 96, 96], "interpolation": "bilinear"},  # timm's usual share
    {"input_size": [3, 64, 96], "crop_pct": 1.0, "interpolation": "bilinear"},
    {"input_size": [3, 96, 96], "crop_pct": 1.0, "crop_mode": "squash"},
    {"input_size": [3, 96, 96], "crop_pct": 0.8, "crop_mode": "squash", "interpolation": "bilinear"},
])  # fmt: skip
def test_images_are_prepared_as_timm_prepares_them(settings: dict[str, Any]) -> None:
    settings = settings | {"mean": list(MEAN), "std": list(STD)}
    asked = timm.data.resolve_data_config(pretrained_cfg=settings)
    theirs = timm.data.create_transform(**asked, is_training=False)(PHOTOGRAPH)
    found = from_timm({"pretrained_cfg": settings})
    assert found is not None
    assert apart(found, theirs) < 0.02


@pytest.mark.parametrize("settings", [
    VIT | {"size": {"height": 96, "width": 96}, "resample": 2},
    VIT | {"size": 96},  # as version 4's first files: to a square, bilinear
    VIT | {"size": {"height": 64, "width": 96}, "resample": 3, "do_convert_rgb": None},
    VIT | {"size": {"height": 96, "width": 96}, "do_normalize": False},
    {"image_processor_type": "ViTImageProcessor"},
    {"image_processor_type": "DeiTImageProcessor"},
    {"image_processor_type": "BitImageProcessor"},
    VIT | {"image_processor_type": "DeiTImageProcessor", "size": 128, "crop_size": 112, "resample": 3},
    BIT | {"size": {"shortest_edge": 110}, "crop_size": {"height": 96, "width": 96}, "resample": 3},
    BIT | {"size": 110, "crop_size": 96, "do_center_crop": True},
    VIT | {"rescale_factor": 0.00392156862745098, "size": 96},
])  # fmt: skip
def test_images_are_prepared_as_transformers_prepares_them(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    theirs = processor(PHOTOGRAPH, return_tensors="pt")["pixel_values"][0]
    found = from_hugging_face(settings)
    assert found is not None
    assert apart(found, theirs) < 0.03


def apart(found: Preprocessing, theirs: torch.Tensor) -> float:
    """How far two preparations of the photograph are apart on the mean, in [0, 1] of a pixel."""
    ours = found(PHOTOGRAPH)
    assert ours.shape == theirs.shape
    std = torch.tensor(found.std).view(3, 1, 1)
    return float(((ours - theirs) * std).abs().mean())


def test_the_whole_is_not_its_middle() -> None:
    """What was taken for the other until both had names, so that the two tests above can tell them apart."""
    center, squash = (Preprocessing((96, 96), 1.0, "bilinear", MEAN, STD, mode) for mode in ("center", "squash"))
    assert apart(center, squash(PHOTOGRAPH)) > 0.03


@pytest.mark.parametrize(("key", "value"), [
    ("do_resize", False), ("do_rescale", False), ("do_pad", True), ("do_flip_channel_order", True), ("crop_pct", 0.9),
    ("do_thumbnail", True), ("resample", 0), ("resample", 1), ("resample", 5), ("rescale_factor", 1.0),
    ("rescale_factor", 0.00784313725490196), ("size", {"longest_edge": 224}),
    ("size", {"max_height": 2, "max_width": 2}), ("size", {"shortest_edge": 224}),
    ("image_processor_type", "ConvNextImageProcessor"),
    ("auto_map", {"AutoImageProcessor": "theirs.Processor"}),
])  # fmt: skip
def test_what_we_do_otherwise_is_refused_by_key_and_value(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"its {key} is ") as caught:
        from_hugging_face(VIT | {"size": 224, key: value})
    assert json.dumps(value) in str(caught.value)
    assert "use it with transformers itself" in str(caught.value)


@pytest.mark.parametrize("crop", [
    {"size": {"shortest_edge": 96}, "crop_size": 128},  # filled up with black
    {"size": {"shortest_edge": 128}, "crop_size": {"height": 64, "width": 96}},
    {"size": {"height": 128, "width": 128}, "crop_size": {"height": 64, "width": 96}},
])  # fmt: skip
def test_a_crop_that_we_cannot_cut_is_refused(crop: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its crop_size is "):
        from_hugging_face(BIT | crop)


def test_what_we_do_not_know_is_refused_and_what_does_not_matter_is_passed_over() -> None:
    with pytest.raises(ValueError, match=r"it has do_sharpen: true, and corolla does not know"):
        from_hugging_face(VIT | {"do_sharpen": True})
    of_no_matter = {
        "do_convert_rgb": False,
        "processor_class": "X",
        "_valid_processor_keys": ["images"],
        "pad_size": None,
    }
    assert from_hugging_face(VIT | of_no_matter) == from_hugging_face(VIT)


@pytest.mark.parametrize(("key", "value"), [
    ("crop_mode", "border"), ("interpolation", "lanczos"), ("interpolation", "random"), ("input_size", [1, 28, 28]),
])  # fmt: skip
def test_what_timm_prepares_otherwise_is_refused_by_key_and_value(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"its pretrained_cfg.{key} is ") as caught:
        from_timm({"pretrained_cfg": {"mean": list(MEAN), "std": list(STD), key: value}})
    assert json.dumps(value) in str(caught.value)


@pytest.mark.parametrize("size", ["x", {}, [], [0, 1], None, {"height": "1"}, {"height": 1}, True])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match=r"its size is .* in integer pixels"):
        sides(size)


def test_a_gray_image_is_prepared_in_three_colors() -> None:
    found = from_hugging_face(VIT | {"size": 32, "do_convert_rgb": False})
    assert found is not None
    assert found(Image.fromarray(np.full((40, 40), 128, np.uint8)).convert("RGB")).shape == (3, 32, 32)
