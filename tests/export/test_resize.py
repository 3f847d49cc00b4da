"""The resize of matrices against Pillow's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.export.resize import Resize
from corolla.painted import paint
from corolla.preprocessing import Preprocessing

PREPARATIONS = [
    Preprocessing((48, 48)), Preprocessing((32, 56), 0.875, "bilinear"), Preprocessing((40, 24), 0.9, "bicubic"),
    Preprocessing((40, 24), 0.9, crop_mode="squash"),
]  # fmt: skip


def resized(preprocessing: Preprocessing, image: Image.Image) -> np.ndarray:
    found = Resize(preprocessing)(torch.from_numpy(np.array(image))[None])
    return found[0].permute(1, 2, 0).numpy()


@settings(max_examples=40)
@given(st.sampled_from(PREPARATIONS), st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_a_photograph_of_any_size_is_as_pillow_makes_it(
    preprocessing: Preprocessing, width: int, height: int, seed: int
) -> None:
    image = paint("rose", seed, 64).resize((width, height))
    if (height, width) == preprocessing.image_size:
        return
    apart = np.abs(resized(preprocessing, image) - preprocessing.pixels(image).astype(float))
    # Pillow may take the vertical direction first, and rounds and cuts off between the two.
    assert np.quantile(apart, 0.99) <= 2
    assert apart.mean() < 0.4


@pytest.mark.parametrize("preprocessing", PREPARATIONS)
def test_shrinking_by_much_is_exact_but_for_single_roundings(preprocessing: Preprocessing) -> None:
    image = paint("tulip", 1, 640).resize((900, 640))
    apart = np.abs(resized(preprocessing, image) - preprocessing.pixels(image).astype(float))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("preprocessing", PREPARATIONS)
def test_a_prepared_image_stays_as_it_is(preprocessing: Preprocessing) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*preprocessing.image_size, 3), np.uint8)
    assert np.array_equal(resized(preprocessing, Image.fromarray(pixels)), pixels)


def test_whole_numbers_within_bounds() -> None:
    stripes = np.zeros((31, 47, 3), np.uint8)
    stripes[::2] = 255  # a cubic kernel overshoots at edges
    found = resized(PREPARATIONS[0], Image.fromarray(stripes))
    assert found.min() >= 0
    assert found.max() <= 255
    assert np.array_equal(found, found.round())
