"""Files that appear whole or not at all, so a killed process never leaves half of one behind."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corolla.errors import CorollaError


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary sibling of `path`, flush it to disk, then rename it over `path`.

    The parent folder is created if it is missing. If `write` fails, `path` is unchanged and the
    temporary file is deleted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays the same because some writers choose the format by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide a run from the user's colleagues
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8 with `\\n` line ends, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON that keeps non-ASCII names readable."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def refuse_occupied(folder: Path) -> None:
    """`CorollaError` unless `folder` is empty or missing, so that no file of the user is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CorollaError(f"{folder} is not an empty folder; choose another place (nothing was changed)")
