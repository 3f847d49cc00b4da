"""What a value of a recipe is where nobody gives it, as `corolla train --help` says it, from the recipes themselves."""

from typing import Any

from corolla.recipe_parts import takes_part
from corolla.training.recipes import RECIPES, NamedRecipe

FIRST = "scratch"  # the recipe of a training without any other option
NOTHING = {"unfreeze_last": (-1, "all"), "lora_rank": (0, "no correction"), "patience": (0, "never")}


def usual(name: str) -> str:
    """The default of an option: that of `scratch`, and of every recipe that has another; `0.1; finetune: 0.05`.

    Where the minutes may choose another, it says so.
    """
    values = {
        recipe: worded(name, getattr(named.recipe, name)) for recipe, named in RECIPES.items() if uses(named, name)
    }
    first = values.get(FIRST, next(iter(values.values())))
    others = [f"{recipe}: {value}" for recipe, value in values.items() if value != first]
    fitted = any(getattr(preset, name, None) is not None for named in RECIPES.values() for preset in named.presets)
    return "; ".join([first, *others, *(["or what fits --minutes"] if fitted or name == "epochs" else [])])


def uses(named: NamedRecipe, name: str) -> bool:
    """Whether a training by this recipe has to do with the value."""
    return takes_part(name, epochs=named.recipe.epochs > 0, teacher="teacher" in named.needs)


def worded(name: str, value: Any) -> str:
    """A value as it would be given on the command line."""
    if name in NOTHING and value == NOTHING[name][0]:
        return NOTHING[name][1]
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "progressive_resizing":
        return ",".join(f"{start:g}:{share:g}" for start, share in value)
    if name == "model" and not value:
        return "that of the weights"
    return f"{value:g}" if isinstance(value, float) else str(value)
