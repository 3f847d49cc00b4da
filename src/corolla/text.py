"""Text from outside, such as the name of a file or a class, made safe to print."""

import re

# Control characters could move the cursor or recolor a terminal, and directional marks could reverse a line.
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

FEW = 30


def printable(text: str) -> str:
    """The text with control characters as escape sequences."""
    return UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text in one line, with line breaks replaced by spaces."""
    return printable(" ".join(text.splitlines()))


def count(n: int, one: str, many: str = "") -> str:
    """`1 image`, `3,670 images`, `0 classes`; `many` is an irregular plural."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def amount(value: float, one: str, many: str = "") -> str:
    """The same for a number that need not be an integer: `1 minute`, `0.5 minutes`, `20 minutes`."""
    return f"{value:g} {one if value == 1 else many or one + 's'}"


def rate(value: float) -> str:
    """A number with three digits or more: `0.213`, `34.6`, `1,250`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def decimals_of(n: int) -> int:
    """The decimals of a percentage of `n` images: none below `FEW` images, where one image is several percent."""
    return 1 if n >= FEW else 0
