"""What a path means that a user gives: `~` is the home directory, in Python and behind an option as in a shell."""

import os
from pathlib import Path

AnyPath = str | os.PathLike[str]


def at(path: AnyPath) -> Path:
    """The path, with `~` or `~name` at its start as a home directory; as it is where nobody is called so."""
    return Path(word(path))


def word(name: AnyPath) -> str:
    """The same of what may be a name, a pattern or an address too, whose slashes must stay."""
    return os.path.expanduser(os.fspath(name))  # noqa: PTH111 - Path would take a slash from s3://bucket
