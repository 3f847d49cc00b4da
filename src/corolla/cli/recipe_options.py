"""The options of `corolla train` that set a value of its recipe, made from the recipe's fields.

Names, types, help and panels come from `corolla.training.recipe.Recipe`, so that no option can be missing.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Annotated, Any, get_args, get_type_hints

import typer

from corolla.cli.options import FLAG
from corolla.cli.recipe_defaults import usual
from corolla.training.recipe import Recipe, kinds
from corolla.training.values import Help, ProgressiveResizing

FIRST = ("epochs", "model", "image_size")  # shown with the options of the command itself


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
