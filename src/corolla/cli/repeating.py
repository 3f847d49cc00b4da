"""Rebuilds a command line from the parameters of its function, to print it for the user to repeat."""

import inspect
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

PLAIN = re.compile(r"[\w./\\:+=-]+", re.ASCII)  # needs no quotes in cmd and PowerShell


def words_of(command: Callable[..., None], given: Mapping[str, Any], leave_out: Collection[str] = ()) -> list[str]:
    """The options and arguments that give the parameters of `command` the values in `given`.

    Parameters with their default value and those in `leave_out` are omitted. The names are the ones that typer makes
    of the function, so a new option is repeated, too.
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    options: list[str] = []
    arguments: list[str] = []
    for parameter in parameters_of(command):
        value = given[parameter.name]
        if parameter.name in leave_out or value is None or value == defaults[parameter.name]:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(text_of(value))
        elif parameter.is_flag:
            options.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            options += [parameter.opts[0], text_of(value)]
    apart = ["--"] if any(argument.startswith("-") for argument in arguments) else []
    return [*options, *apart, *arguments] if apart else [*arguments, *options]


def parameters_of(command: Callable[..., None]) -> list[Any]:
    """The click arguments and options that typer makes of a command's function."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)


def text_of(value: object) -> str:
    """A value as it would be typed."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def shell_line(words: Sequence[str | Path], windows: bool = os.name == "nt") -> str:
    """The words as one line, quoted for a POSIX shell, or for both cmd and PowerShell."""
    texts = [str(word) for word in words]
    return " ".join(map(quoted_for_windows, texts)) if windows else shlex.join(texts)


def quoted_for_windows(word: str) -> str:
    """A word as Windows programs parse it, in quotes if it has a character that a shell there could interpret."""
    if PLAIN.fullmatch(word):
        return word
    line = subprocess.list2cmdline([word])
    if line.startswith('"'):  # it has a space, or is empty
        return line
    # list2cmdline quotes for spaces only; backslashes before the last quote would escape it.
    return f'"{line}{line[len(line.rstrip(chr(92))) :]}"'
