"""Random resized crop: a fraction of the image's area with a slightly changed aspect ratio, resized."""

import cv2
import numpy as np
from numpy.typing import NDArray

from corolla.data.decoded_cache import ImageArray
from corolla.training.transforms.operations import View
from corolla.training.transforms.sample_rng import SampleRng, between

TRIES = 10
ASPECT = 4 / 3  # largest ratio of a crop's sides


def crop_boxes(sizes: NDArray[np.int64], least: float, dice: SampleRng) -> NDArray[np.int64]:
    """A box (top, left, height, width) for each image of `sizes` (B, 2), as in Inception (arXiv 1409.4842).

    Its area is between `least` and the whole image's. The first of ten tries that lies inside the image is used; if
    none does, the largest center crop with an allowed aspect ratio.
    """
    tries, place = dice.roll(2 * TRIES), dice.roll(2)
    area = sizes.prod(axis=1, keepdims=True) * between(tries[:, :TRIES], least, 1.0)
    aspect = np.exp(between(tries[:, TRIES:], -np.log(ASPECT), np.log(ASPECT)))  # width over height
    drawn = np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], axis=2).round().astype(np.int64)  # (B, tries, 2)
    fits = np.logical_and.reduce((drawn > 0) & (drawn <= sizes[:, None]), axis=2)
    rows, first = np.arange(len(sizes)), fits.argmax(axis=1)
    box = drawn[rows, first]
    centered = np.minimum(sizes, (sizes[:, ::-1] * ASPECT).round().astype(np.int64))
    inside = fits[rows, first][:, None]
    box = np.where(inside, box, centered)
    start = np.where(inside, np.floor(place * (sizes - box + 1)), (sizes - box) // 2).astype(np.int64)
    return np.concatenate([start, box], axis=1)


def cut(image: ImageArray, box: NDArray[np.int64], mirror: bool, size: int) -> View:
    """The box (top, left, height, width) of an image, flipped or not, resized to (size, size, 3)."""
    top, left, height, width = box
    shrinks = max(height, width) > size
    whole = image[top : top + height, left : left + width]
    # Area interpolation for downscaling, so that no pixel is skipped.
    view = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.flip(view, 1) if mirror else view  # type: ignore[return-value]
