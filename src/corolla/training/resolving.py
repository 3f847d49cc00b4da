"""The final recipe of a training: the named recipe, the user's overrides, and the time budget."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.models.names import name_of, vit_config
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.text import amount
from corolla.training.budget import Amounts, Plan, Timer, plan
from corolla.training.recipe import Preset, Recipe
from corolla.training.recipes import NamedRecipe, named_recipe
from corolla.training.small_data import (
    batches_of_few,
    mixing_of_few,
    most_epochs,
    native_side,
    suited_model,
    suited_presets,
    suited_to_few,
)

if TYPE_CHECKING:  # a recipe is chosen, or rejected, without torch
    from corolla.weights import Weights


def weights_of(changes: dict[str, Any], progress: Progress) -> "Weights | None":
    """The weights that the user's `changes` name."""
    if not changes.get("weights"):
        return None
    refuse_second_model(changes)
    from corolla.weights import load_weights

    return load_weights(changes["weights"], progress=progress)


def refuse_second_model(changes: dict[str, Any]) -> None:
    """`CorollaError` if both weights and a model are given."""
    if changes.get("weights") and "model" in changes:
        raise CorollaError("--weights brings its own model; leave --model out")


def resolve_recipe(name: str | None, changes: dict[str, Any], weights: "Weights | None") -> tuple[NamedRecipe, Recipe]:
    """The recipe called `name`, or the default for the user's `changes`, and the same with those changes.

    With both a teacher and weights, the weights are fine-tuned with distillation.
    Weights determine the model and, if they say it, the image size.
    """
    usual = "distill" if changes.get("teacher") else "finetune" if changes.get("weights") else "scratch"
    named = named_recipe(name or usual)
    if changes.get("weights") and named.from_weights:
        named = named.from_weights
    changes = dict(changes)
    if weights is not None:
        prepared = weights.preprocessing or weights.config
        side = changes.setdefault("image_size", max(prepared.image_size))
        changes.setdefault("progressive_resizing", ((0.0, 1.0),))
        changes["model"] = name_of(replace(weights.config, image_size=(side, side)))
    elif "image_size" in changes and "model" not in changes and named.recipe.model:
        changes["model"] = suited_model(named.recipe.model, changes["image_size"])
    elif "model" in changes and "image_size" not in changes:  # vit_tiny_patch16_224 says its pixels
        changes["image_size"] = vit_config(changes["model"], 2).image_size[0]
    recipe = named.recipe.changed(**changes)
    for needed, what in (("weights", "NAME_OR_PATH"), ("teacher", "NAME")):
        if needed in named.needs and not getattr(recipe, needed):
            raise CorollaError(f"the recipe {named.recipe.name} needs --{needed} {what}")
    if recipe.weights and "weights" not in named.needs:
        raise CorollaError(
            f"the recipe {named.recipe.name} trains from random weights; "
            f"leave --recipe out to fine-tune {recipe.weights}"
        )
    if recipe.teacher and "teacher" not in named.needs:
        raise CorollaError(f"the recipe {named.recipe.name} uses no teacher; leave --recipe or --teacher out")
    return named, recipe


def fit_to_minutes(
    named: NamedRecipe,
    recipe: Recipe,
    changes: dict[str, Any],
    minutes: float,
    weights: "Weights | None",
    manifest: Manifest,
    timer: Timer,
    processes: Processes,
    progress: Progress,
    started: float,
    beside: float = 0.0,
) -> Plan:
    """Fit what the user's `changes` leave open to `minutes`, which started at `started`.

    `beside` are the seconds per test image for the teacher's prediction at the end.
    If the user set a model, weights or an image size, only the epochs are fitted.
    """
    images = manifest.size("train")
    presets = laid_out(suited_presets(named.presets, native_side(manifest)), images, changes)
    if shaped_by_hand(changes):
        presets = (Preset(recipe.model, recipe.image_size, recipe.progressive_resizing, 0),)

    def patch_of(recipe: Recipe) -> int:
        return (weights.config if weights else vit_config(recipe.model, 2)).patch_size

    fitted = plan(
        minutes,
        recipe,
        presets,
        lambda tried: amounts_of(manifest, tried, beside),
        lambda tried: most_epochs(named.most_epochs, images, tried.batch_size),
        timer,
        patch_of,
        started,
        processes,
    )
    taken = fitted.recipe
    progress.note(
        f"{amount(minutes, 'minute fits', 'minutes fit')} {taken.model} at {taken.image_size} px "
        f"for {taken.length:.1f} epochs: {fitted.measured}"
    )
    return fitted


def laid_out(presets: Sequence[Preset], images: int, changes: dict[str, Any]) -> tuple[Preset, ...]:
    """The presets for a training split of `images`; the user's `changes` are left as they are."""

    def values_of(preset: Preset) -> dict[str, Any]:
        values = {name: value for name, value in preset.values.items() if name not in changes}
        if "batch_size" in values:
            values["batch_size"] = batches_of_few(images, values["batch_size"])
        if "mixup_cutmix_prob" in values:
            values["mixup_cutmix_prob"] = mixing_of_few(images, values["mixup_cutmix_prob"])
        return values

    return tuple(replace(preset, values=values_of(preset)) for preset in presets)


def shaped_by_hand(changes: dict[str, Any]) -> bool:
    """Whether the user's `changes` set the model or the image size."""
    return not changes.keys().isdisjoint({"model", "image_size", "progressive_resizing", "weights"})


def suited(recipe: Recipe, changes: dict[str, Any], manifest: Manifest) -> Recipe:
    """The recipe adapted to small or few images; the user's `changes` are left as they are."""
    if not shaped_by_hand(changes) and recipe.model:
        own = Preset(recipe.model, recipe.image_size, recipe.progressive_resizing, 0)
        recipe = suited_presets((own,), native_side(manifest))[0].applied_to(recipe)
    return suited_to_few(recipe, manifest.size("train")).changed(**changes)


def amounts_of(manifest: Manifest, recipe: Recipe, beside: float = 0.0) -> Amounts:
    """How many images a training by `recipe` processes, calibration and evaluation included."""
    from corolla.evaluation.calibrating import amount_of, can_calibrate  # which loads torch

    train, validation = manifest.size("train"), manifest.size("val")
    batch, calibrated = min(recipe.batch_size, train), can_calibrate(manifest)
    return Amounts(
        train=train - train % batch,
        batch=batch,
        validation=validation,
        before=train + validation if recipe.head == "probe" else 0,
        test=manifest.size("test"),
        beside=beside,
        calibration=amount_of(manifest).passes if calibrated else 0,
        least_calibration=amount_of(manifest, 0).passes if calibrated else 0,
    )
