"""What suits the images there are: models whose tokens are fine enough for small ones, batches for few ones.

A model of one token for every 16 x 16 pixels sees an image of 32 pixels as 2 x 2 tokens, and one that is enlarged to
160 pixels costs twenty-five times as much without a pixel more to see. So the presets of `--minutes` are fitted anew
for small images: the same sizes of model, with a stem of a smaller stride.
"""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import replace

from corolla.data.decoding import ImageError, sides_of
from corolla.data.manifest import Manifest
from corolla.models.names import CONV_STRIDES, NAME
from corolla.training.preset import Preset
from corolla.training.recipe import Recipe

LOOKED_AT = 100  # images whose headers are read
LEAST_GRID = 6  # tokens along a side, below which a model hardly sees where something is
SMALL = ((40, 32), (80, 64))  # images with a shorter side of at most so many pixels are trained on at so many
ENLARGED = 1.25  # times that an image may be enlarged
FEW_BATCHES = 16  # in an epoch; of fewer ones the images left over after the last are too large a share
FEW_IMAGES = 200  # for training, of which mixed ones are too far from any that will be asked about
FEW_MIXING = 0.2
LEAST_STEPS = 1000  # that a training may take, however few its images are


def native_side(manifest: Manifest) -> int | None:
    """The median shorter side, in pixels, of some training images; None if none can be read."""
    examples = manifest.split("train")
    sides = []
    for example in examples[:: max(len(examples) // LOOKED_AT, 1)]:
        try:
            sides.append(min(sides_of(manifest.locate(example))))
        except ImageError:
            continue
    return round(statistics.median(sides)) if sides else None


def suited_presets(presets: Sequence[Preset], side: int | None) -> tuple[Preset, ...]:
    """The presets for images whose shorter side has `side` pixels: none enlarges them, except to the least size."""
    if side is None or not presets:
        return tuple(presets)
    small = next((pixels for most, pixels in SMALL if side <= most), None)
    if small is None:
        return tuple(
            preset for place, preset in enumerate(presets) if not place or preset.image_size <= ENLARGED * side
        )
    growth = ((0.0, 0.75), (0.5, 1.0)) if small >= 64 else ((0.0, 1.0),)  # 48 pixels are 6 x 6 tokens still
    found: list[Preset] = []
    for preset in presets:
        model = re.sub(r"\d+$", str(small), suited_model(preset.model, small))
        suited = replace(preset, model=model, image_size=small, progressive_resizing=growth)
        if not found or replace(suited, fewest_views=0) != replace(found[-1], fewest_views=0):
            found.append(suited)
    return tuple(found)


def suited_model(model: str, pixels: int) -> str:
    """The hybrid `model` with the largest stride that leaves it a grid of 6 x 6 or more at `pixels`.

    A model of plain patches, of a grid that is fine already, or that no stride suits stays as it is.
    """
    match = NAME.fullmatch(model)
    if not match or match["kind"] != "conv" or pixels // int(match["side"]) >= LEAST_GRID:
        return model
    finer = [stride for stride in CONV_STRIDES if stride < int(match["side"]) and pixels % stride == 0]
    suited = [stride for stride in finer if pixels // stride >= LEAST_GRID] or finer[:1]
    return f"vit_{match['size']}_conv{max(suited)}_{match['pixels']}" if suited else model


def suited_to_few(recipe: Recipe, images: int) -> Recipe:
    """The recipe for a training split of so many images: batches that leave few over, and little mixing of few."""
    return recipe.changed(
        batch_size=batches_of_few(images, recipe.batch_size),
        mixup_cutmix_prob=mixing_of_few(images, recipe.mixup_cutmix_prob),
    )


def batches_of_few(images: int, usual: int) -> int:
    """The batch size: `usual`, or one that leaves few over where an epoch has few batches."""
    batches = math.ceil(images / usual)
    return max(images // batches, 1) if 0 < batches < FEW_BATCHES else usual


def mixing_of_few(images: int, usual: float) -> float:
    """The share of the batches that are mixed: `usual`, or less where there are few images."""
    return min(usual, FEW_MIXING) if images < FEW_IMAGES else usual


def most_epochs(usual: int, images: int, batch_size: int) -> int:
    """How many epochs are of use: `usual`, or more where an epoch has so few steps that these would be hardly any."""
    steps = max(images // batch_size, 1)
    return max(usual, math.ceil(LEAST_STEPS / steps)) if usual else 0
