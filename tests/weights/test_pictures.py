import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.preprocessing import Preprocessing
from corolla.weights.pictures import from_hugging_face, from_timm, sides, to_hugging_face, to_timm

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@given(st.integers(1, 512), st.integers(1, 512), st.floats(0.5, 1), st.sampled_from(["bilinear", "bicubic"]))
def test_timms_words_go_there_and_back(height: int, width: int, crop: float, interpolation: str) -> None:
    preprocessing = Preprocessing((height, width), crop, interpolation, MEAN, STD)  # type: ignore[arg-type]
    assert from_timm({"pretrained_cfg": to_timm(preprocessing)}) == preprocessing


def test_hugging_faces_words_go_there_and_back() -> None:
    preprocessing = Preprocessing((64, 96), 1.0, "bilinear", MEAN, STD)
    assert from_hugging_face(to_hugging_face(preprocessing)) == preprocessing


def test_a_resize_before_a_crop_is_a_crop_fraction() -> None:
    settings = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True,
                "image_mean": list(MEAN), "image_std": list(STD), "resample": 3}  # fmt: skip
    assert from_hugging_face(settings) == Preprocessing((224, 224), 0.875, "bicubic", MEAN, STD)


def test_settings_that_say_nothing_say_nothing() -> None:
    assert from_timm({}) is None
    assert from_hugging_face({}) is None


@pytest.mark.parametrize("size", ["x", {}, [], [0, 1], None, {"height": "1"}])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match="not whole numbers"):
        sides(size)
