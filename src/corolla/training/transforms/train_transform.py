"""The augmentation of a batch of images: one random view of each, by crop, horizontal flip, policy and erasing.

A view depends only on the run's seed, the epoch and the image: not on the batch, the worker or earlier random numbers.
So a resumed run sees the same views as an uninterrupted one.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corolla.data.decoded_cache import ImageArray
from corolla.training.recipe import Recipe
from corolla.training.rng import SampleRng, between
from corolla.training.transforms.operations import MEAN_COLOR, View, apply
from corolla.training.transforms.policies import POLICIES

CROP_TRIES = 10
CROP_ASPECT = 4 / 3  # largest ratio of a crop's sides
ERASED_AREA = (0.02, 0.33)  # fraction of the view
ERASED_ASPECT = (0.3, 3.3)  # height over width


class TrainTransform:
    """Random resized crop, horizontal flip, auto-augment policy and random erasing, as the recipe says."""

    def __init__(self, recipe: Recipe) -> None:
        self.random_resized_crop_scale, self.erasing = recipe.random_resized_crop_scale, recipe.random_erasing_prob
        self.policy = POLICIES[recipe.auto_augment]

    def __call__(self, images: Sequence[ImageArray], size: int, seeds: Sequence[int]) -> Tensor:
        """The views of the images for their `seeds`: uint8 (B, 3, size, size), channels last in memory."""
        rng = SampleRng(seeds)
        sizes = np.array([image.shape[:2] for image in images], np.int64)
        boxes = crop_boxes(sizes, self.random_resized_crop_scale, rng)
        mirrored = rng.random(1)[:, 0] < 0.5
        ops = self.policy(rng, size)
        lost = rectangles(rng, size, self.erasing)
        views = np.empty((len(images), size, size, 3), np.uint8)
        for index, image in enumerate(images):
            view = apply(resized_crop(image, boxes[index], bool(mirrored[index]), size), ops[index])
            views[index] = view
            erase(views[index], lost[index])
        return torch.from_numpy(views).permute(0, 3, 1, 2)


def crop_boxes(sizes: NDArray[np.int64], least: float, rng: SampleRng) -> NDArray[np.int64]:
    """A random crop (top, left, height, width) of each image of `sizes` (B, 2), as in Inception (arXiv 1409.4842).

    Its area is between `least` and the whole image's. The first of ten tries that lies inside the image is used; if
    none does, the largest center crop with an allowed aspect ratio.
    """
    tries, place = rng.random(2 * CROP_TRIES), rng.random(2)
    area = sizes.prod(axis=1, keepdims=True) * between(tries[:, :CROP_TRIES], least, 1.0)
    aspect = np.exp(between(tries[:, CROP_TRIES:], -np.log(CROP_ASPECT), np.log(CROP_ASPECT)))  # width over height
    drawn = np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], axis=2).round().astype(np.int64)  # (B, tries, 2)
    fits = np.logical_and.reduce((drawn > 0) & (drawn <= sizes[:, None]), axis=2)
    rows, first = np.arange(len(sizes)), fits.argmax(axis=1)
    box = drawn[rows, first]
    centered = np.minimum(sizes, (sizes[:, ::-1] * CROP_ASPECT).round().astype(np.int64))
    inside = fits[rows, first][:, None]
    box = np.where(inside, box, centered)
    start = np.where(inside, np.floor(place * (sizes - box + 1)), (sizes - box) // 2).astype(np.int64)
    return np.concatenate([start, box], axis=1)


def resized_crop(image: ImageArray, box: NDArray[np.int64], mirror: bool, size: int) -> View:
    """The box (top, left, height, width) of an image, flipped or not, resized to (size, size, 3)."""
    top, left, height, width = box
    shrinks = max(height, width) > size
    whole = image[top : top + height, left : left + width]
    # Area interpolation for downscaling, so that no pixel is skipped.
    view = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.flip(view, 1) if mirror else view  # type: ignore[return-value]


def rectangles(rng: SampleRng, size: int, share: float) -> NDArray[np.int64]:
    """The rectangle to erase in each view of `size` pixels (B, 4): top, left, height, width; empty but in `share`.

    Random erasing (arXiv 1708.04896) fills a rectangle of some views with the mean color.
    """
    uniform = rng.random(5)
    area = size * size * between(uniform[:, 1], *ERASED_AREA)
    aspect = np.exp(between(uniform[:, 2], *np.log(ERASED_ASPECT)))
    sides = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1).round().clip(1, size).astype(np.int64)
    starts = np.floor(uniform[:, 3:] * (size - sides + 1)).astype(np.int64)
    return np.concatenate([starts, np.where(uniform[:, :1] < share, sides, 0)], axis=1)


def erase(view: View, rectangle: NDArray[np.int64]) -> None:
    """Fill the rectangle of a view, in place."""
    top, left, height, width = rectangle
    view[top : top + height, left : left + width] = MEAN_COLOR
