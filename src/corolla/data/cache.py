"""Where corolla keeps what it can make or fetch again; deleting the folder costs only time."""

import glob
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from corolla.lock import in_use
from corolla.paths import at

DAY = 24 * 3600.0  # seconds after which nobody comes back to a folder that is not finished


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

    If another process has made `folder` in the meantime, that one is kept: both hold the same. What a process that was
    killed left of it is cleared away a day later.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-????????"):
        with suppress(OSError):  # another process was quicker
            if time.time() - left.stat().st_mtime > DAY and not in_use(left):
                shutil.rmtree(left, ignore_errors=True)
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
