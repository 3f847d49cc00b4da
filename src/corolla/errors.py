"""The one kind of failure a user meets: a line saying what is wrong, where, and what to do."""

from collections.abc import Iterable
from itertools import islice


class CorollaError(Exception):
    """A failure the user can mend.

    The command line prints its text as one line and ends with exit status 2; anything else that
    is raised is a fault of ours and keeps its traceback.
    """


def few(names: Iterable[str], most: int = 3) -> str:
    """The first `most` of `names` in one line, with an ellipsis if there are more."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (", …" if len(first) > most else "")
