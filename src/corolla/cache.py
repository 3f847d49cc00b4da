"""corolla's cache folder: everything in it can be made or downloaded again, so it is safe to delete."""

import glob
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from corolla.lock import in_use
from corolla.paths import at

DAY = 24 * 3600.0  # seconds after which an unfinished folder counts as abandoned


def cache_folder() -> Path:
    """The folder named by `COROLLA_CACHE`, or the platform's usual cache folder; it may not exist yet.

    If the user has no home folder, or it is not writable, the cache is in the folder for temporary files.
    """
    chosen = os.environ.get("COROLLA_CACHE")
    if chosen:
        return at(chosen).absolute()
    usual = usual_caches()
    if usual is None:
        return own_temporary()
    folder = usual / "corolla" / "cache" if sys.platform == "win32" else usual / "corolla"
    return folder if folder.is_dir() or may_write(folder) else own_temporary()


def usual_caches() -> Path | None:
    """The user's cache folder on this platform; None for a user without a home folder."""
    named = {"darwin": None, "win32": "LOCALAPPDATA"}.get(sys.platform, "XDG_CACHE_HOME")
    if named and (place := os.environ.get(named)):
        return Path(place)
    home = home_folder()
    if home is None:
        return None
    return home.joinpath(
        *{"darwin": ("Library", "Caches"), "win32": ("AppData", "Local")}.get(sys.platform, (".cache",))
    )


def home_folder() -> Path | None:
    """The user's home folder, or None: in a container it may be undefined or missing."""
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and no entry in the list of users
        return None
    return home if home.is_absolute() and os.path.isdir(home) else None  # noqa: PTH112 - False where nobody may look


def may_write(folder: Path) -> bool:
    """Whether this process may write into a folder, or create it."""
    for place in (folder, *folder.parents):
        if os.path.exists(place):  # noqa: PTH110 - False where nobody may look
            return os.access(place, os.W_OK | os.X_OK)
    return False


@cache
def own_temporary() -> Path:
    """This user's own folder in the folder for temporary files, the same in every process; created if possible."""
    try:
        place = Path(tempfile.gettempdir())
    except OSError:  # no writable folder: the first write will report it
        return Path(os.devnull) / "corolla"
    number = os.geteuid() if hasattr(os, "geteuid") else "own"
    folder = place / f"corolla-{number}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        told = folder.lstat()
        mine = not hasattr(os, "geteuid") or (told.st_uid == os.geteuid() and not told.st_mode & 0o022)
        if not (stat.S_ISDIR(told.st_mode) and mine):  # another user could write into it
            folder = Path(tempfile.mkdtemp(prefix="corolla-"))
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill; it is renamed to `folder` only if the block succeeds.

    If another process has created `folder` in the meantime, that one stays: both have the same content. The leftovers
    of a killed process are deleted a day later.
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


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes in hexadecimal, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
