"""Text of others, a file's name or a class, made safe to be shown."""

import re

# Control characters could move the cursor or recolor a terminal, and directional marks turn a line around.
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

FEW = 30


def printable(text: str) -> str:
    """The text with control characters written out as escapes."""
    return UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text in one line, its line breaks as spaces."""
    return printable(" ".join(text.splitlines()))


def count(n: int, one: str, many: str = "") -> str:
    """`1 image`, `3,670 images`, `0 classes` where `many` is the plural of a word that takes more than an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def amount(value: float, one: str, many: str = "") -> str:
    """The same of what need not be whole: `1 minute`, `0.5 minutes`, `20 minutes`."""
    return f"{value:g} {one if value == 1 else many or one + 's'}"


def rate(value: float) -> str:
    """A figure with three digits or more: `0.213`, `34.6`, `1,250`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def decimals_of(n: int) -> int:
    """How many decimals a percentage of `n` images can bear: of fewer than `FEW` one image is several percent."""
    return 1 if n >= FEW else 0
