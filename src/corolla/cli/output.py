"""Writes results to standard output, safe for any name of a file or a class."""

import json
import sys
from typing import TYPE_CHECKING, Any

from corolla.text import one_line as one_line  # for a single line on the terminal
from corolla.text import printable as printable

if TYPE_CHECKING:
    from rich.console import Console


def make_streams_safe() -> None:
    """Escape characters that cannot be encoded, such as those of an invalid file name, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Any) -> None:
    """Write one JSON value; non-ASCII text stays readable where standard output can carry it."""
    carries_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not carries_all, allow_nan=False))


def answer_console() -> "Console":
    """A rich console on standard output; it wraps lines only on a terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 10_000)
