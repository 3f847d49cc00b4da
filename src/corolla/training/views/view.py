"""The random views of a batch of pictures.

A view depends on the run's seed, the epoch and the picture, and on nothing else: not on the batch it falls into, the
worker that makes it or what was drawn before. So a resumed run sees what an unbroken one would have seen.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from corolla.data.pixels import Picture
from corolla.training.recipe import Recipe
from corolla.training.views.crop import crop_boxes, cut
from corolla.training.views.erasing import erase, rectangles
from corolla.training.views.operations import apply
from corolla.training.views.policies import POLICIES
from corolla.training.views.randomness import Dice


class Views:
    """Crop, mirror, policy, erasing, as the recipe says."""

    def __init__(self, recipe: Recipe) -> None:
        self.crop_scale, self.erasing = recipe.crop_scale, recipe.erasing
        self.policy = POLICIES[recipe.policy]

    def __call__(self, pictures: Sequence[Picture], size: int, seeds: Sequence[int]) -> Tensor:
        """The views of the pictures that `seeds` stand for: uint8 (B, 3, size, size), channels last in memory."""
        dice = Dice(seeds)
        sizes = np.array([picture.shape[:2] for picture in pictures], np.int64)
        boxes = crop_boxes(sizes, self.crop_scale, dice)
        mirrored = dice.roll(1)[:, 0] < 0.5
        ops = self.policy(dice, size)
        lost = rectangles(dice, size, self.erasing)
        views = np.empty((len(pictures), size, size, 3), np.uint8)
        for index, picture in enumerate(pictures):
            view = apply(cut(picture, boxes[index], bool(mirrored[index]), size), ops[index])
            views[index] = view
            erase(views[index], lost[index])
        return torch.from_numpy(views).permute(0, 3, 1, 2)
