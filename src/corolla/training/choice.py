"""Which recipe a training really runs with: the named one, the user's changes, and the minutes dial."""

from typing import Any

from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.run import Config
from corolla.sizes import vit_config
from corolla.training.budget import Rung, plan
from corolla.training.loop import Machine
from corolla.training.recipe import Recipe
from corolla.training.recipes import named_recipe
from corolla.training.trial import StepTimer


def choose_recipe(
    name: str,
    changes: dict[str, Any],
    minutes: float | None,
    manifest: Manifest,
    machine: Machine,
    progress: Progress,
    started: float,
) -> Recipe:
    """The recipe called `name` with the user's `changes`, and with what they left open fitted to `minutes`.

    A model or a picture size set by hand leaves only the epochs to fit. `started` is when the minutes began.
    """
    named = named_recipe(name)
    changes = dict(changes)
    if "model" in changes and "image_size" not in changes:  # vit_tiny_patch16_224 says its pixels
        changes["image_size"] = vit_config(changes["model"], len(manifest.classes)).image_size[0]
    recipe = named.recipe.changed(**changes)
    if minutes is None or "epochs" in changes:
        return recipe
    by_hand = not changes.keys().isdisjoint({"model", "image_size", "growth"})
    ladder = (Rung(recipe.model, recipe.image_size, recipe.growth, 0),) if by_hand else named.ladder
    pictures = len(manifest.split("train"))
    full_batches = pictures - pictures % min(recipe.batch_size, pictures)
    timer = StepTimer(manifest, machine, progress, limit=minutes * 60 * 0.02)
    fitted = plan(minutes, recipe, ladder, full_batches, named.most_epochs, timer, patch_of, started)
    taken = fitted.recipe.changed(**changes)  # what is set by hand stays, whatever the rung has
    progress.note(
        f"{minutes:g} minutes fit {taken.model} at {taken.image_size} px for {taken.epochs} epochs: {fitted.measured}"
    )
    return taken


def patch_of(recipe: Recipe) -> int:
    """The side of a patch of the recipe's model, in pixels."""
    return vit_config(recipe.model, 2).patch_size


def recipe_of(config: Config, changes: dict[str, Any], seed: int) -> Recipe:
    """The recipe an interrupted run was started with; `CorollaError` if other values are asked for now."""
    try:
        values = config.recipe | {"growth": tuple((start, share) for start, share in config.recipe["growth"])}
        recipe = Recipe(**values)
    except (TypeError, KeyError, ValueError) as error:
        raise CorollaError(f"the run's recipe in config.json cannot be read: {error}") from None
    asked = changes | {"seed": seed}
    had = recipe.to_json() | {"seed": config.training.get("seed")}
    different = sorted(name for name, value in asked.items() if had.get(name) != value)
    if different:
        raise CorollaError(
            f"this run was started with another {', '.join(different)}; repeat its command as it was and add --resume, "
            "or choose another --out"
        )
    return recipe
