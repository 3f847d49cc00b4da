"""Paths that a user gives: `~` is the home directory, in Python and in command line options, as in a shell."""

import os
from pathlib import Path

AnyPath = str | os.PathLike[str]
_NOISE = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r", "$recycle.bin"}


def at(path: AnyPath) -> Path:
    """The path with `~` or `~name` at its start expanded to a home directory; unchanged if there is no such user."""
    return Path(word(path))


def word(name: AnyPath) -> str:
    """The same for a text that may also be a name, a pattern or a URL, whose slashes must stay."""
    return os.path.expanduser(os.fspath(name))  # noqa: PTH111 - Path would take a slash from s3://bucket


def is_system_file(name: str) -> bool:
    """Whether the operating system and not the user creates files or folders with this name."""
    return name.startswith(".") or name.lower() in _NOISE
