"""The options of `corolla train` that set a value of its recipe, made from the recipe's fields.

Names, types, help and panels come from `corolla.training.recipe.Recipe`, so that no option can be missing; the defaults
that `--help` shows come from the recipes.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Annotated, Any, get_args, get_type_hints

import typer

from corolla.cli.options import FLAG
from corolla.recipe_parts import takes_part
from corolla.training.recipe import Recipe, kinds
from corolla.training.recipe_fields import Help, ProgressiveResizing
from corolla.training.recipes import RECIPES, NamedRecipe

FIRST = ("epochs", "model", "image_size")  # shown with the options of the command itself
USUAL = "scratch"  # the recipe if no other option is given
NOTHING = {"unfreeze_last": (-1, "all"), "lora_rank": (0, "no LoRA"), "patience": (0, "never")}


def recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the `**changes` of a command by an option for each field of a recipe.

    The command gets them under the fields' names; an option that was not given is None.
    """

    missing = {field.name: None for field in fields(Recipe) if field.name != "name"}

    @functools.wraps(command)
    def call(**values: Any) -> None:
        command(**missing | values)

    parameters, hints = [], get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        for field in sorted(fields(Recipe), key=lambda field: field.name not in FIRST):
            if field.name != "name":
                parameters.append(
                    inspect.Parameter(
                        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option_of(field)
                    )
                )
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def option_of(field: Field[Any]) -> Any:
    """The annotation of a field's option for typer."""
    kind, *told = get_args(kinds()[field.name])
    [said] = [each for each in told if isinstance(each, Help)]
    name = field.name.replace("_", "-")
    names = [f"--{name}/--no-{name}"] if kind is bool else [f"--{name}"]
    shown = "random weights" if field.name == "weights" else "labels only" if field.name == "teacher" else None
    option = typer.Option(
        *names,
        metavar=FLAG if kind is bool else said.metavar,
        help=said.text,
        show_default=shown or usual(field.name),
        rich_help_panel=said.panel,
    )
    return Annotated[(str if kind == ProgressiveResizing else kind) | None, option]


def usual(name: str) -> str:
    """The default of an option in `scratch`, and in every recipe with another one: `0.1; finetune: 0.05`.

    It mentions --minutes if that may choose another value.
    """
    values = {
        recipe: worded(name, getattr(named.recipe, name)) for recipe, named in RECIPES.items() if uses(named, name)
    }
    first = values.get(USUAL, next(iter(values.values())))
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
