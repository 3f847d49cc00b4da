"""Random erasing (arXiv 1708.04896): fills a rectangle of some views with the mean color."""

import numpy as np
from numpy.typing import NDArray

from corolla.training.transforms.operations import MEAN_COLOR, View
from corolla.training.transforms.sample_rng import SampleRng, between

AREA = (0.02, 0.33)  # fraction of the view
ASPECT = (0.3, 3.3)  # height over width


def rectangles(dice: SampleRng, size: int, share: float) -> NDArray[np.int64]:
    """The rectangle to erase in each view of `size` pixels (B, 4): top, left, height, width; empty but in `share`."""
    rolls = dice.roll(5)
    area = size * size * between(rolls[:, 1], *AREA)
    aspect = np.exp(between(rolls[:, 2], *np.log(ASPECT)))
    sides = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1).round().clip(1, size).astype(np.int64)
    starts = np.floor(rolls[:, 3:] * (size - sides + 1)).astype(np.int64)
    return np.concatenate([starts, np.where(rolls[:, :1] < share, sides, 0)], axis=1)


def erase(view: View, rectangle: NDArray[np.int64]) -> None:
    """Fill the rectangle of a view, in place."""
    top, left, height, width = rectangle
    view[top : top + height, left : left + width] = MEAN_COLOR
