"""The recipes by name; each recipe's file lists its papers, its command and its expected results."""

from dataclasses import dataclass

from corolla.errors import CorollaError
from corolla.training.recipe import Preset, Recipe
from corolla.training.recipes import distill, finetune, probe, scratch


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with the presets that `--minutes` chooses among."""

    recipe: Recipe
    presets: tuple[Preset, ...]
    most_epochs: int
    needs: frozenset[str] = frozenset()  # of "weights" and "teacher"
    from_weights: "NamedRecipe | None" = None  # the variant for optional pretrained weights


RECIPES = {
    "scratch": NamedRecipe(scratch.RECIPE, scratch.PRESETS, scratch.MOST_EPOCHS),
    "probe": NamedRecipe(probe.RECIPE, (), 0, frozenset({"weights"})),
    "finetune": NamedRecipe(finetune.RECIPE, (), finetune.MOST_EPOCHS, frozenset({"weights"})),
    "distill": NamedRecipe(
        distill.RECIPE,
        distill.PRESETS,
        distill.MOST_EPOCHS,
        frozenset({"teacher"}),
        NamedRecipe(distill.FROM_WEIGHTS, (), distill.MOST_EPOCHS_FROM_WEIGHTS, frozenset({"weights", "teacher"})),
    ),
}


def named_recipe(name: str) -> NamedRecipe:
    """The recipe called `name`; `CorollaError` with the available names."""
    if name not in RECIPES:
        raise CorollaError(f"no recipe is called {name!r}; there is {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
