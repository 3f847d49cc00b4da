"""Text of others, a file's name or a class, made safe to be shown."""

import re

# Control characters could move the cursor or recolour a terminal, and directional marks turn a line around.
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters written out as escapes."""
    return UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text in one line, its line breaks as spaces."""
    return printable(" ".join(text.splitlines()))
