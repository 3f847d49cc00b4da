"""A preset of the dial is fitted to few images, and gives way to what is set by hand."""

import pytest

from corolla.training.recipe import Preset
from corolla.training.recipes.scratch import FEW_VIEWS, PRESETS, RECIPE
from corolla.training.resolving import laid_out

PRESET = Preset(
    "vit_nano_conv8_64",
    64,
    ((0.0, 1.0),),
    0,
    {"batch_size": 32, "mixup_cutmix_prob": 0.5, "random_resized_crop_scale": 0.5},
)


@pytest.mark.parametrize(
    ("images", "batch", "mixing"),
    [(5, 5, 0.2), (142, 28, 0.2), (300, 30, 0.5), (2558, 32, 0.5), (0, 32, 0.2)],
)
def test_a_presets_batches_leave_few_images_over(images: int, batch: int, mixing: float) -> None:
    [preset] = laid_out([PRESET], images, {})
    recipe = preset.applied_to(RECIPE)
    assert (recipe.batch_size, recipe.mixup_cutmix_prob, recipe.random_resized_crop_scale) == (batch, mixing, 0.5)
    assert (recipe.model, recipe.image_size, recipe.progressive_resizing) == (PRESET.model, 64, ((0.0, 1.0),))


def test_what_is_set_by_hand_stays_whatever_a_preset_has() -> None:
    by_hand = {"batch_size": 100, "auto_augment": "rand", "drop_path": 0.3}
    recipe = RECIPE.changed(**by_hand)
    for preset in laid_out(PRESETS, 50, by_hand):
        taken = preset.applied_to(recipe)
        assert {name: getattr(taken, name) for name in by_hand} == by_hand
    lowest = laid_out(PRESETS, 5000, by_hand)[0].applied_to(recipe)
    for name in FEW_VIEWS.keys() - by_hand.keys():
        assert getattr(lowest, name) == FEW_VIEWS[name]
