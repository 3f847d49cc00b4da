from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from corolla.errors import CorollaError
from corolla.training import clock
from corolla.training.budget import REPORT, SPARE, Amounts, plan
from corolla.training.recipe import Preset, Recipe, RecipeOverrides, kinds
from corolla.training.recipes import RECIPES, named_recipe
from corolla.training.recipes.scratch import RECIPE


@pytest.mark.parametrize("change", [
    {"epochs": 0}, {"batch_size": 0}, {"warmup": 1.0}, {"mixup_cutmix_prob": 1.2}, {"random_resized_crop_scale": 0.0},
    {"learning_rate": -1.0},
    {"optimizer": "sgd"}, {"auto_augment": "wild"}, {"class_weights": "some"}, {"patience": -1}, {"color": 1},
])  # fmt: skip
def test_values_no_training_can_run_with_are_refused_in_one_line(change: dict[str, object]) -> None:
    with pytest.raises(CorollaError) as caught:
        RECIPE.changed(**change)
    assert next(iter(change)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_none_means_unchanged() -> None:
    assert RECIPE.changed(epochs=None, model=None) == RECIPE


def test_images_grow_to_their_full_size_in_whole_patches() -> None:
    recipe = RECIPE.changed(image_size=128, epochs=10, progressive_resizing=((0.0, 0.5), (0.3, 0.75), (0.65, 1.0)))
    sizes = [recipe.image_size_at(epoch / 10, 16) for epoch in range(10)]
    assert sizes == [64, 64, 64, 96, 96, 96, 96, 128, 128, 128]
    assert RECIPE.changed(image_size=40, progressive_resizing=((0.0, 0.1),)).image_size_at(0, 16) == 16


def test_every_named_recipe_has_presets_from_the_smallest_on() -> None:
    for named in RECIPES.values():
        if "weights" in named.needs:
            continue  # weights bring model and size, so there is nothing to climb
        assert named.presets[0].fewest_views == 0
        fewest = [preset.fewest_views for preset in named.presets]
        assert fewest == sorted(fewest)
        for preset in named.presets:
            preset.applied_to(named.recipe)
    with pytest.raises(CorollaError, match="scratch"):
        named_recipe("scrach")


PRESETS = (
    Preset("vit_micro_conv8_64", 64, ((0.0, 1.0),), 0),
    Preset("vit_micro_conv8_128", 128, ((0.0, 0.5), (0.5, 1.0)), 50_000),
)


class MadeUpMachine:
    """A millisecond for a training image of 64 pixels, more in proportion to the area; predictions take nothing."""

    def step(self, recipe: Recipe, pixels: int) -> float:
        return 0.001 * (pixels / 64) ** 2

    def prediction(self, recipe: Recipe) -> tuple[float, float]:
        return 0.0, 1e-9


def settle(minutes: float, images: int = 1000, most: int = 300) -> Recipe:
    amounts = Amounts(train=images, batch=50, validation=100, test=100)
    started = clock.now() + REPORT  # so that the report takes no time of it
    return plan(
        minutes, RECIPE, PRESETS, lambda _: amounts, lambda _: most, MadeUpMachine(), lambda recipe: 16, started
    ).recipe


def test_more_minutes_take_larger_presets_and_fill_the_time() -> None:
    short, long = settle(1), settle(4)
    assert short.model == "vit_micro_conv8_64"
    assert short.length == pytest.approx(60 * (1 - SPARE), abs=0.1)  # a second an epoch, the last one cut short
    assert (long.model, long.image_size) == ("vit_micro_conv8_128", 128)
    assert long.length == pytest.approx(240 * (1 - SPARE) / 2.5, abs=0.7)  # half the epochs at 1 s and half at 4 s


def test_a_rung_has_its_own_augmentation_or_leaves_the_recipes() -> None:
    preset = Preset("vit_micro_conv8_64", 64, ((0.0, 1.0),), 0, {"auto_augment": "none"})
    recipe = RECIPE.changed(auto_augment="rand", mixup_cutmix_prob=0.7)
    assert (preset.applied_to(recipe).auto_augment, preset.applied_to(recipe).mixup_cutmix_prob) == ("none", 0.7)


def test_epochs_have_a_limit_and_one_must_fit() -> None:
    assert settle(60).epochs == 300
    with pytest.raises(CorollaError, match="too short for one epoch"):
        settle(0.1, images=100_000)


def test_every_field_of_a_recipe_may_be_overridden_and_nothing_else() -> None:
    assert list(get_type_hints(RecipeOverrides)) == [field.name for field in fields(Recipe) if field.name != "name"]


def test_an_override_has_the_type_of_its_field_or_is_none() -> None:
    plain = (bool, int, float, str)
    for name, hint in get_type_hints(RecipeOverrides).items():
        kind = get_args(kinds()[name])[0]
        assert type(None) in get_args(hint)
        assert kind not in plain or name in ("weights", "teacher") or kind in get_args(hint), name
