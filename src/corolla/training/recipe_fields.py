"""Validation of a recipe's fields: each value is converted to a plain Python value, or rejected in one line.

A field declares its range in its type, as in `unfreeze_last: Annotated[int, Range(-1), Help("…", "K")]`.
"""

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin

from corolla.errors import CorollaError
from corolla.text import one_line

LONGEST = 60  # characters of a rejected value in the message

ProgressiveResizing = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included unless `above` or `below` excludes them."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is in the range; infinity and NaN never are."""
        over = value > self.low if self.above else value >= self.low
        under = value < self.high if self.below else value <= self.high
        return over and under and abs(value) < math.inf

    def words(self) -> str:
        """The range in words."""
        ends = []
        if math.isfinite(self.low):
            ends.append(f"{'above' if self.above else 'of at least'} {self.low:,.0f}")
        if math.isfinite(self.high):
            ends.append(f"{'below' if self.below else 'of at most'} {self.high:,.0f}")
        return " and ".join(ends)


@dataclass(frozen=True)
class Help:
    """The text of a field in `corolla train --help`, its metavar there, and its panel."""

    text: str
    metavar: str
    panel: str | None = None


ANY = Range()
MOST = 10**9  # of any count
Count = Annotated[int, Range(1, MOST)]
CountOrNone = Annotated[int, Range(0, MOST)]
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
BelowOne = Annotated[float, Range(0, 1, below=True)]
PartOfOne = Annotated[float, Range(0, 1, above=True)]


def checked(name: str, value: Any, kind: Any) -> Any:
    """`value` for the field `name` of type `kind`, as a plain Python value; `CorollaError` if it does not fit.

    Numbers may be numpy's, an integer may be given as a float, and a string as a path; a bool is never a number.
    """
    inner, limits = kind, ANY
    if hasattr(kind, "__metadata__"):
        inner = get_args(kind)[0]
        limits = next((each for each in kind.__metadata__ if isinstance(each, Range)), ANY)
    value = plain(value)
    if inner is bool:
        if not isinstance(value, bool):
            raise refused(name, value, "it should be True or False")
        return value
    if inner is int:
        number = whole(value)
        if number is None or not limits.holds(number):
            raise refused(name, value, f"it should be a whole number {limits.words()}")
        return number
    if inner is float:
        fraction = real(value)
        if fraction is None or not limits.holds(fraction):
            raise refused(name, value, f"it should be a number {limits.words()}")
        return fraction
    if get_origin(inner) is Literal:
        if not isinstance(value, str) or value not in get_args(inner):
            raise refused(name, value, f"choose one of {', '.join(get_args(inner))}")
        return str(value)
    if inner is str:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(text, str):
            raise refused(name, value, "it should be a string")
        return str(text)
    return parse_resizing(name, value)


def parse_resizing(name: str, value: Any) -> ProgressiveResizing:
    """Pairs (start as a fraction of the training, fraction of the image size), from any lists of numbers."""
    pairs = value.tolist() if hasattr(value, "tolist") else value
    parts: list[tuple[float, float]] = []
    for pair in pairs if is_list(pairs) else ():
        numbers = [real(plain(number)) for number in pair] if is_list(pair) else []
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            parts.append((numbers[0], numbers[1]))
    starts = [start for start, _ in parts]
    good = is_list(pairs) and len(parts) == len(pairs) and starts[:1] == [0.0]
    rises = all(a < b for a, b in itertools.pairwise([*starts, 1.0]))
    if not good or not rises or not all(0 < share <= 1 for _, share in parts):
        raise refused(
            name, value,
            "it should be pairs of a start and a fraction of the image size, with increasing starts from 0 to below 1 "
            "and fractions above 0 and up to 1, such as ((0, 0.5), (0.3, 0.75), (0.65, 1))",
        )  # fmt: skip
    return tuple(parts)


def plain(value: Any) -> Any:
    """A number of numpy or torch as a Python number; anything else unchanged."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def whole(value: Any) -> int | None:
    """The value as an int, or None if it is not an integer."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    fraction = real(value)
    return int(fraction) if fraction is not None and fraction.is_integer() else None


def real(value: Any) -> float | None:
    """The value as a float, or None if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        fraction = float(value)
    except OverflowError:
        return None
    return fraction if math.isfinite(fraction) else None


def is_list(value: Any) -> bool:
    """Whether the value is a sequence, and not a string."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def refused(name: str, value: Any, why: str) -> CorollaError:
    """The error for a value that cannot be used."""
    shown = one_line(repr(value))
    return CorollaError(f"{name} is {shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + '…'}; {why.strip()}")
