"""How answers are written to standard output: safely whatever a file or a class is called."""

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Control characters could move the cursor or recolour a terminal, and directional marks turn a line around.
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def make_streams_safe() -> None:
    """Let no character, such as one of a file name that is no valid text, stop the printing of a line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """The text with control characters written out as escapes."""
    return UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text in one line, its line breaks as spaces."""
    return printable(" ".join(text.splitlines()))


def print_json(value: Any) -> None:
    """Write one JSON value; non-ASCII text stays readable where standard output can carry it."""
    carries_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not carries_all, allow_nan=False))


def answer_console() -> "Console":
    """A rich console on standard output, as wide as what it writes where no terminal sets the width."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 10_000)
