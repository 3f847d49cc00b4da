"""The defaults of the recipe options in `corolla train --help`, taken from the recipes."""

from typing import Any

from corolla.recipe_parts import takes_part
from corolla.training.recipes import RECIPES, NamedRecipe

FIRST = "scratch"  # the recipe if no other option is given
NOTHING = {"unfreeze_last": (-1, "all"), "lora_rank": (0, "no LoRA"), "patience": (0, "never")}


def usual(name: str) -> str:
    """The default of an option in `scratch`, and in every recipe with another one: `0.1; finetune: 0.05`.

    It mentions --minutes if that may choose another value.
    """
    values = {
        recipe: worded(name, getattr(named.recipe, name)) for recipe, named in RECIPES.items() if uses(named, name)
    }
    first = values.get(FIRST, next(iter(values.values())))
    others = [f"{recipe}: {value}" for recipe, value in values.items() if value != first]
    fitted = any(getattr(preset, name, None) is not None for named in RECIPES.values() for preset in named.presets)
    return "; ".join([first, *others, *(["or what fits --minutes"] if fitted or name == "epochs" else [])])


def uses(named: NamedRecipe, name: str) -> bool:
    """Whether the value has an effect in a training with this recipe."""
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
        return "the model of the weights"
    return f"{value:g}" if isinstance(value, float) else str(value)
