"""Adapt a recipe to the data: models with a small patch size for small images, small batches for few images.

A model with one token per 16 x 16 pixels sees an image of 32 pixels as 2 x 2 tokens, and an image enlarged to 160
pixels costs twenty-five times as much without more information. So the presets of `--minutes` are adapted to small
images: the same model sizes, with a smaller stride of the stem.
"""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import replace

from corolla.data.decoding import ImageError, sides_of
from corolla.data.manifest import Manifest
from corolla.models.names import CONV_STRIDES, NAME
from corolla.training.recipe import Preset, Recipe

LOOKED_AT = 100  # images whose headers are read
LEAST_GRID = 6  # tokens along a side; with fewer a model hardly sees where something is
SMALL = ((40, 32), (80, 64))  # (largest shorter side of the images, image size to train at), in pixels
ENLARGED = 1.25  # an image may be enlarged by this factor
FEW_BATCHES = 16  # in an epoch; with fewer, the dropped images after the last full batch are too large a fraction
FEW_IMAGES = 200  # for training; with fewer, mixed images are too different from real ones
FEW_MIXING = 0.2
LEAST_STEPS = 1000  # that a training may always take, even with few images


def native_side(manifest: Manifest) -> int | None:
    """The median shorter side, in pixels, of a sample of training images; None if none can be read."""
    examples = manifest.split("train")
    sides = []
    for example in examples[:: max(len(examples) // LOOKED_AT, 1)]:
        try:
            sides.append(min(sides_of(manifest.locate(example))))
        except ImageError:
            continue
    return round(statistics.median(sides)) if sides else None


def suited_presets(presets: Sequence[Preset], side: int | None) -> tuple[Preset, ...]:
    """The presets for images whose shorter side has `side` pixels: only the smallest preset may enlarge them."""
    if side is None or not presets:
        return tuple(presets)
    small = next((pixels for most, pixels in SMALL if side <= most), None)
    if small is None:
        return tuple(
            preset for place, preset in enumerate(presets) if not place or preset.image_size <= ENLARGED * side
        )
    growth = ((0.0, 0.75), (0.5, 1.0)) if small >= 64 else ((0.0, 1.0),)  # 48 pixels still give 6 x 6 tokens
    found: list[Preset] = []
    for preset in presets:
        model = re.sub(r"\d+$", str(small), suited_model(preset.model, small))
        suited = replace(preset, model=model, image_size=small, progressive_resizing=growth)
        if not found or replace(suited, fewest_views=0) != replace(found[-1], fewest_views=0):
            found.append(suited)
    return tuple(found)


def suited_model(model: str, pixels: int) -> str:
    """The hybrid `model` with the largest stride that gives a grid of 6 x 6 or more at `pixels`.

    A model with plain patches, with a grid that is already fine enough, or without a suitable stride is unchanged.
    """
    match = NAME.fullmatch(model)
    if not match or match["kind"] != "conv" or pixels // int(match["side"]) >= LEAST_GRID:
        return model
    finer = [stride for stride in CONV_STRIDES if stride < int(match["side"]) and pixels % stride == 0]
    suited = [stride for stride in finer if pixels // stride >= LEAST_GRID] or finer[:1]
    return f"vit_{match['size']}_conv{max(suited)}_{match['pixels']}" if suited else model


def suited_to_few(recipe: Recipe, images: int) -> Recipe:
    """The recipe for a training split of `images`: batches that drop few images, and less mixing if there are few."""
    return recipe.changed(
        batch_size=batches_of_few(images, recipe.batch_size),
        mixup_cutmix_prob=mixing_of_few(images, recipe.mixup_cutmix_prob),
    )


def batches_of_few(images: int, usual: int) -> int:
    """The batch size: `usual`, or one that drops few images if an epoch has few batches."""
    batches = math.ceil(images / usual)
    return max(images // batches, 1) if 0 < batches < FEW_BATCHES else usual


def mixing_of_few(images: int, usual: float) -> float:
    """The probability of mixing a batch: `usual`, or less if there are few images."""
    return min(usual, FEW_MIXING) if images < FEW_IMAGES else usual


def most_epochs(usual: int, images: int, batch_size: int) -> int:
    """The maximum number of useful epochs: `usual`, or more if an epoch has very few steps."""
    steps = max(images // batch_size, 1)
    return max(usual, math.ceil(LEAST_STEPS / steps)) if usual else 0
