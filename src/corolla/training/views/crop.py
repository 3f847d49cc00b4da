"""The random crop: a share of the picture's area at a slightly changed aspect, brought to the view's size."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from corolla.data.pixels import Picture
from corolla.training.views.randomness import Dice, between

TRIES = 10
ASPECT = 4 / 3  # a crop's sides differ by this factor at most


def crop_boxes(sizes: NDArray[np.int64], least: float, dice: Dice) -> NDArray[np.int64]:
    """A box (top, left, height, width) for each picture of `sizes` (B, 2), as Inception drew them (arXiv 1409.4842).

    Its area is `least` to all of the picture's. The first of ten tries that lies inside counts; where none does, the
    largest centred box of a permitted aspect.
    """
    tries, place = dice.roll(2 * TRIES), dice.roll(2)
    area = sizes.prod(axis=1, keepdims=True) * between(tries[:, :TRIES], least, 1.0)
    aspect = np.exp(between(tries[:, TRIES:], -np.log(ASPECT), np.log(ASPECT)))  # width over height
    drawn = np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], axis=2).round().astype(np.int64)  # (B, tries, 2)
    fits = np.logical_and.reduce((drawn > 0) & (drawn <= sizes[:, None]), axis=2)
    rows, first = np.arange(len(sizes)), fits.argmax(axis=1)
    box = drawn[rows, first]
    centred = np.minimum(sizes, (sizes[:, ::-1] * ASPECT).round().astype(np.int64))
    inside = fits[rows, first][:, None]
    box = np.where(inside, box, centred)
    start = np.where(inside, np.floor(place * (sizes - box + 1)), (sizes - box) // 2).astype(np.int64)
    return np.concatenate([start, box], axis=1)


def cut(pictures: Sequence[Picture], boxes: NDArray[np.int64], mirrored: NDArray[np.bool_], size: int) -> Tensor:
    """The boxes of the pictures, some of them mirrored, resized with antialiasing to uint8 (B, 3, size, size)."""
    views = torch.empty(len(pictures), 3, size, size, dtype=torch.uint8)
    for view, picture, (top, left, height, width), mirror in zip(views, pictures, boxes, mirrored, strict=True):
        box = torch.from_numpy(picture[top : top + height, left : left + width]).permute(2, 0, 1)
        small = F.interpolate(box[None], (size, size), mode="bilinear", antialias=True)[0]
        view.copy_(small.flip(-1) if mirror else small)
    return views
