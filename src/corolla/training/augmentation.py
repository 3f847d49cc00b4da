"""Random views of training pictures, by torchvision.transforms.v2.

A view depends on the run's seed, the epoch and the picture, and on nothing else: not on the batch it falls into, the
worker that makes it or what was drawn before. So a resumed run sees what an unbroken one would have seen.
"""

import hashlib

import torch
from torch import Tensor
from torchvision.transforms import v2

from corolla.preprocessing import IMAGENET_MEAN
from corolla.training.recipe import Policy, Recipe

BILINEAR = v2.InterpolationMode.BILINEAR
MEAN_COLOUR = [round(255 * value) for value in IMAGENET_MEAN]  # what erased pixels and turned corners become
POLICIES: dict[Policy, list[v2.Transform]] = {
    "none": [],
    "light": [v2.RandomRotation(20, BILINEAR, fill=MEAN_COLOUR), v2.ColorJitter(0.3, 0.3, 0.3)],
    "trivial": [v2.TrivialAugmentWide(interpolation=BILINEAR, fill=MEAN_COLOUR)],  # arXiv 2103.10158
    "rand": [v2.RandAugment(num_ops=2, magnitude=10, interpolation=BILINEAR, fill=MEAN_COLOUR)],  # arXiv 1909.13719
}


def seed_of(*parts: int | str) -> int:
    """A seed that is a function of `parts` and looks random in each of them."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # torch takes 63 bits


class Views:
    """The random view of one picture: crop, mirror, policy, erasing; uint8 (3, h, w) to uint8 (3, size, size)."""

    def __init__(self, recipe: Recipe) -> None:
        self.crop_scale = recipe.crop_scale
        self.after_crop = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                *POLICIES[recipe.policy],
                v2.RandomErasing(recipe.erasing, value=MEAN_COLOUR),
            ]
        )

    def __call__(self, picture: Tensor, size: int, seed: int) -> Tensor:
        """The view of `picture` that `seed` stands for, `size` pixels square."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            crop = v2.RandomResizedCrop(size, scale=(self.crop_scale, 1.0), antialias=True)
            view: Tensor = self.after_crop(crop(picture))
            return view


def mixer(num_classes: int) -> v2.Transform:
    """MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899) for a whole batch, each half of the time.

    Takes images (B, 3, H, W) and class numbers (B,); gives images and targets (B, classes).
    """
    return v2.RandomChoice(
        [v2.MixUp(alpha=0.8, num_classes=num_classes), v2.CutMix(alpha=1.0, num_classes=num_classes)]
    )
