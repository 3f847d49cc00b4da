"""Where corolla keeps what it can make or fetch again; deleting the folder costs only time."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corolla.paths import at


def cache_folder() -> Path:
    """The folder named by `COROLLA_CACHE`, or the usual place of the platform; it need not exist yet."""
    chosen = os.environ.get("COROLLA_CACHE")
    if chosen:
        return at(chosen).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "corolla"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "corolla" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corolla"


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `folder` only if the block ends well.

    If another process has made `folder` in the meantime, that one is kept: both hold the same.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield temporary
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
