"""The one kind of error that a user sees: a line that says what is wrong, where, and what to do."""

import importlib
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

# safetensors wraps errors of the operating system into its own exception.
SAFETENSORS_SYSTEM_ERROR = re.compile(r"I/O error: (.+?) \(os error (\d+)\)")


class CorollaError(Exception):
    """An error that the user can fix.

    The command line prints its text as one line and ends with exit status 2. Any other exception
    is a bug of corolla and keeps its traceback.
    """


class ElsewhereError(CorollaError):
    """An error that the main process of several reports; the other processes end without a message."""


def few(names: Iterable[str], most: int = 3) -> str:
    """The first `most` of `names` in one line, with an ellipsis if there are more."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (", …" if len(first) > most else "")


def first_line(error: BaseException) -> str:
    """The first line of an error message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def needed(library: str, extra: str, task: str = "this", otherwise: str = "") -> Any:
    """Import the library that `task` needs, or raise `CorollaError` that says how to install it, or `otherwise`."""
    try:
        return importlib.import_module(library)
    except ImportError:
        install = f"install it with: pip install 'corolla[{extra}]'{otherwise}"
        raise CorollaError(f"{task} needs {library}; {install}") from None


def system_error(error: BaseException, path: Path | None = None) -> OSError | None:
    """The operating system's error about `path`, if that is why safetensors failed."""
    found = SAFETENSORS_SYSTEM_ERROR.search(str(error))
    return OSError(int(found[2]), found[1], *([str(path)] if path else [])) if found else None
