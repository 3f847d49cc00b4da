"""Random erasing (arXiv 1708.04896): a rectangle of some views becomes the mean colour."""

import numpy as np
import torch
from torch import Tensor

from corolla.training.views.operations import MEAN_COLOUR
from corolla.training.views.randomness import Dice, between

AREA = (0.02, 0.33)  # share of the view
ASPECT = (0.3, 3.3)  # height over width


def erase(views: Tensor, share: float, dice: Dice) -> None:
    """Take a rectangle from about `share` of the views of uint8 (B, 3, S, S), in place."""
    size, rolls = views.shape[-1], dice.roll(5)
    area = size * size * between(rolls[:, 1], *AREA)
    aspect = np.exp(between(rolls[:, 2], *np.log(ASPECT)))
    sides = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1).round().clip(1, size).astype(np.int64)
    starts = np.floor(rolls[:, 3:] * (size - sides + 1)).astype(np.int64)
    colour = torch.tensor(MEAN_COLOUR, dtype=torch.uint8).view(3, 1, 1)
    for view, chance, (top, left), (height, width) in zip(views, rolls[:, 0], starts, sides, strict=True):
        if chance < share:
            view[:, top : top + height, left : left + width] = colour
