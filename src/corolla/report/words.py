"""Number formats of the report and the model card."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from corolla import text

SPACE = "\u00a0"  # between a number and its unit, where a line must not break
NONE = "–"


def number(value: Any) -> float | None:
    """The value if it is a finite number, else None: a run's files may have any content."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if fits else None


def percent(share: Any, digits: int = 1) -> str:
    """0.8342 as `83.4 %`."""
    value = number(share)
    return NONE if value is None else f"{100 * value:.{digits}f}{SPACE}%"


def interval(ends: Sequence[float], digits: int = 1) -> str:
    """(0.801, 0.863) as `80.1 to 86.3 %`."""
    return f"{100 * ends[0]:.{digits}f} to {percent(ends[1], digits)}"


def points(difference: Any) -> str:
    """A difference of two fractions, 0.0123, as `+1.2` percentage points."""
    value = number(difference)
    return NONE if value is None else f"{100 * value:+.1f}"


def decimal(value: Any, digits: int = 3) -> str:
    """0.55512 as `0.555`."""
    figure = number(value)
    return NONE if figure is None else f"{figure:.{digits}f}"


def whole(value: Any) -> str:
    """3670 as `3,670`."""
    figure = number(value)
    return NONE if figure is None else f"{figure:,.0f}"


def count(n: int, one: str, many: str = "") -> str:
    """`1 image`, `3,670 images`."""
    return text.count(n, one, many).replace(" ", SPACE, 1)


def parameters(value: Any) -> str:
    """2_912_345 as `2.9 million`."""
    figure = number(value)
    if figure is None:
        return NONE
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if figure >= size:
            return f"{figure / size:.1f}{SPACE}{word}"
    return f"{figure:,.0f}"


def duration(minutes: Any) -> str:
    """Minutes as `42 seconds`, `28 minutes` or `3 h 05 min`."""
    value = number(minutes)
    if value is None or value < 0:
        return NONE
    if value < 2:
        return count(round(60 * value), "second")
    if value < 120:
        return count(round(value), "minute")
    return f"{round(value) // 60}{SPACE}h{SPACE}{round(value) % 60:02d}{SPACE}min"


def listed(names: Sequence[str], most: int = 30) -> str:
    """The names in one line, cut after `most`."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")
