"""What is made of images to show none of the classes."""

import numpy as np
import pytest
from PIL import Image

from corolla.painted import paint
from corolla.uncertainty.outliers import OUTLIERS, Pixels, scrambled, shuffled


@pytest.fixture(scope="module")
def image() -> Pixels:
    return np.asarray(paint("rose", 3, 99).convert("RGB").resize((99, 77), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("name", OUTLIERS)
def test_size_type_and_dice(name: str, image: Pixels) -> None:
    change = OUTLIERS[name]
    made = change(image, np.random.default_rng(1))
    assert (made.shape, made.dtype) == (image.shape, np.uint8)
    assert (change(image, np.random.default_rng(1)) == made).all()
    assert np.abs(made.astype(float) - image).mean() > 8


def test_shuffled_keeps_the_colors_and_scrambled_the_mean(image: Pixels) -> None:
    tiles = shuffled(image, np.random.default_rng(0))
    for channel in range(3):
        quantiles = [np.quantile(pixels[:, :, channel], [0.1, 0.5, 0.9]) for pixels in (tiles, image)]
        np.testing.assert_allclose(*quantiles, atol=12)
    cloud = scrambled(image, np.random.default_rng(0))
    np.testing.assert_allclose(cloud.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=6)
