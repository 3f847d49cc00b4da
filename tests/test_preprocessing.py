import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corolla.preprocessing import Preprocessing


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 512), st.integers(1, 512), st.floats(0.1, 1.0))
def test_the_crop_is_centered_inside_the_image_and_of_the_right_shape(
    width: int, height: int, rows: int, columns: int, fraction: float
) -> None:
    left, top, right, bottom = Preprocessing((rows, columns), crop_fraction=fraction).crop_box(width, height)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    assert left + right == pytest.approx(width)
    assert top + bottom == pytest.approx(height)
    assert (right - left) * rows == pytest.approx((bottom - top) * columns)


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.1, 1.0))
def test_squashing_keeps_the_same_share_of_either_side(width: int, height: int, fraction: float) -> None:
    squash = Preprocessing((24, 40), fraction, crop_mode="squash")
    left, top, right, bottom = squash.crop_box(width, height)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    assert (left + right, top + bottom) == (pytest.approx(width), pytest.approx(height))
    assert (right - left, bottom - top) == (pytest.approx(width * fraction), pytest.approx(height * fraction))


@pytest.mark.parametrize("side", [29, 225, 450])  # 224 / side * side is a hair more than 224
def test_rounding_puts_no_edge_outside(side: int) -> None:
    assert Preprocessing((224, 224))(Image.new("RGB", (side, side))).shape == (3, 224, 224)


def test_any_shape_of_image_becomes_the_same_shape_of_tensor() -> None:
    preprocessing = Preprocessing((24, 40))
    for size in ((1, 1), (500, 3), (3, 500), (40, 24)):
        tensor = preprocessing(Image.new("RGB", size, (10, 200, 30)))
        assert tensor.shape == (3, 24, 40)
        expected = (torch.tensor([10, 200, 30]) / 255 - torch.tensor(preprocessing.mean)) / torch.tensor(
            preprocessing.std
        )
        torch.testing.assert_close(tensor.mean((1, 2)), expected)


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    assert np.array_equal(Preprocessing((24, 40)).pixels(Image.fromarray(pixels)), pixels)


def test_shrinking_is_antialiased() -> None:
    """Stripes finer than the new pixels turn gray; without antialiasing they would stay black or white."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = Preprocessing((8, 8), interpolation="bilinear").pixels(Image.fromarray(stripes))
    assert 110 <= int(small.min()) <= int(small.max()) <= 145


def test_it_survives_json() -> None:
    preprocessing = Preprocessing((96, 128), 0.875, "bilinear", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "squash")
    assert Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing


@pytest.mark.parametrize("change", [
    {"image_size": [0, 5]}, {"image_size": [10**9, 5]}, {"interpolation": "lanczos"}, {"crop_fraction": 0},
    {"crop_mode": "border"},
    {"std": [0, 1, 1]}, {"mean": [0, 1]}, {"unknown": 1},
])  # fmt: skip
def test_hostile_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Preprocessing.from_json(Preprocessing((8, 8)).to_json() | change)
