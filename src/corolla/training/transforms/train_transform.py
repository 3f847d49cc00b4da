"""The augmentation of a batch of images: one random view of each.

A view depends only on the run's seed, the epoch and the image: not on the batch, the worker or earlier random numbers.
So a resumed run sees the same views as an uninterrupted one.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from corolla.data.decoded_cache import ImageArray
from corolla.training.recipe import Recipe
from corolla.training.transforms.erasing import erase, rectangles
from corolla.training.transforms.operations import apply
from corolla.training.transforms.policies import POLICIES
from corolla.training.transforms.resized_crop import crop_boxes, cut
from corolla.training.transforms.sample_rng import SampleRng


class TrainTransform:
    """Crop, horizontal flip, policy, erasing, as the recipe says."""

    def __init__(self, recipe: Recipe) -> None:
        self.random_resized_crop_scale, self.erasing = recipe.random_resized_crop_scale, recipe.random_erasing_prob
        self.policy = POLICIES[recipe.auto_augment]

    def __call__(self, images: Sequence[ImageArray], size: int, seeds: Sequence[int]) -> Tensor:
        """The views of the images for their `seeds`: uint8 (B, 3, size, size), channels last in memory."""
        dice = SampleRng(seeds)
        sizes = np.array([image.shape[:2] for image in images], np.int64)
        boxes = crop_boxes(sizes, self.random_resized_crop_scale, dice)
        mirrored = dice.roll(1)[:, 0] < 0.5
        ops = self.policy(dice, size)
        lost = rectangles(dice, size, self.erasing)
        views = np.empty((len(images), size, size, 3), np.uint8)
        for index, image in enumerate(images):
            view = apply(cut(image, boxes[index], bool(mirrored[index]), size), ops[index])
            views[index] = view
            erase(views[index], lost[index])
        return torch.from_numpy(views).permute(0, 3, 1, 2)
