"""The one kind of failure a user meets: a line saying what is wrong, where, and what to do."""

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

# safetensors wraps what the operating system says into an exception of its own.
SAFETENSORS_SYSTEM_ERROR = re.compile(r"I/O error: (.+?) \(os error (\d+)\)")


class CorollaError(Exception):
    """A failure the user can mend.

    The command line prints its text as one line and ends with exit status 2; anything else that
    is raised is a fault of ours and keeps its traceback.
    """


class ElsewhereError(CorollaError):
    """A failure that the main one of several processes tells; the others end with it in silence."""


def few(names: Iterable[str], most: int = 3) -> str:
    """The first `most` of `names` in one line, with an ellipsis if there are more."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (", …" if len(first) > most else "")


def system_error(error: BaseException, path: Path | None = None) -> OSError | None:
    """What the operating system said about `path`, if that is what safetensors failed for."""
    found = SAFETENSORS_SYSTEM_ERROR.search(str(error))
    return OSError(int(found[2]), found[1], *([str(path)] if path else [])) if found else None
