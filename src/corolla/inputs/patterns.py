"""Patterns of paths: `*`, `?`, `[…]` and `**` as in the shell, and braces as in WebDataset."""

import glob
import re
from collections.abc import Iterator

from corolla.errors import CorollaError
from corolla.inputs.errors import InputError

MOST_FILES = 1_000_000
_BRACES = re.compile(r"\{(\d+\.\.\d+|[^{}]*,[^{}]*)\}")


def is_pattern(word: str) -> bool:
    """Whether a word that is no path itself may match several."""
    return glob.has_magic(word) or _BRACES.search(word) is not None


def matching(pattern: str) -> list[str]:
    """The paths that match, sorted within each alternative of the braces; `InputError` if one has no match."""
    found: list[str] = []
    for each in braced(pattern):
        names = sorted(glob.glob(each, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not names:
            raise no_match(each)
        found += names
    if not found:  # a range such as {5..1}
        raise no_match(pattern)
    return found


def braced(pattern: str) -> list[str]:
    """Expand the braces of `{000..010}` and `{train,val}`; `CorollaError` for a range of too many numbers."""
    return list(dict.fromkeys(_expanded(pattern)))  # inner braces come first: {a{1,2},b} would give b twice


def _expanded(pattern: str) -> Iterator[str]:
    braces = _BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    words = braces[1].split(",")
    if ".." in braces[1] and len(words) == 1:
        digits, _, last = braces[1].partition("..")
        if int(last) - int(digits) >= MOST_FILES:
            raise CorollaError(f"{pattern!r} expands to more than {MOST_FILES:,} files")
        words = [f"{number:0{len(digits)}}" for number in range(int(digits), int(last) + 1)]
    for word in words:
        yield from _expanded(pattern[: braces.start()] + word + pattern[braces.end() :])


def no_match(pattern: str) -> InputError:
    """The error of a pattern without a match."""
    return InputError("no file matches this pattern", f"no file matches {pattern}")
