"""Only one process at a time works in a folder: a lock of the operating system, which ends with its process.

The lock is the file `.lock` in the folder. A file that a killed process has left behind locks nothing and is reused.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from corolla.errors import CorollaError

if TYPE_CHECKING:
    from filelock import FileLock

NAME = ".lock"
PATIENCE = 1.0  # seconds: the other process may be about to end
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # errors of file systems without locks
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
LONGEST = 300  # bytes of a lock file that are read


@contextmanager
def locked(
    folder: Path, work: str, note: Callable[[str], None] | None = None, patience: float = PATIENCE
) -> Iterator[None]:
    """Lock `folder` against other processes that use this function; their error message names `work`.

    The folder and its parents are created if they are missing, and deleted again if they stay empty. A read-only
    folder is not locked; if the file system has no locks, `note` is called with a warning. Raises a one-line
    `CorollaError` if another process still holds the lock after `patience` seconds.
    """
    if folder.exists() and not folder.is_dir():
        raise CorollaError(f"{folder} is a file; choose a folder that does not exist yet")
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    file, held = folder / NAME, take(folder, note, patience)
    if held:
        with suppress(OSError):
            file.write_text(f"{work}, process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    try:
        yield
    finally:
        if held:
            with suppress(OSError):  # Windows deletes no open file
                file.unlink()
            held.release()
            with suppress(OSError):
                file.unlink()
        with suppress(OSError):  # a folder that is not empty stays, and its parents with it
            for each in new:
                each.rmdir()


def take(folder: Path, note: Callable[[str], None] | None, patience: float) -> "FileLock | None":
    """The lock of a folder, acquired; None if locking is impossible."""
    from filelock import FileLock, Timeout  # imported late: predictions need no lock and should start quickly

    file = folder / NAME
    lock = FileLock(file, timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise CorollaError(
            f"another process works in {folder} ({holder(file)}); wait until it has ended, or choose another folder"
        ) from None
    except (OSError, NotImplementedError) as error:
        number = error.errno if isinstance(error, OSError) else errno.ENOSYS
        if number in READ_ONLY and not os.access(folder, os.W_OK):
            return None
        if number not in WITHOUT_LOCKS:
            raise
        if note:
            note(f"the file system of {folder} has no locks; make sure that only one process works there at a time")
        return None
    return lock


def holder(file: Path) -> str:
    """The process that holds the lock, as its file says."""
    try:
        with file.open("rb") as said:
            return said.read(LONGEST).decode("utf-8", "replace") or "its name is not known"
    except OSError:  # Windows lets nobody read a locked file
        return "its name is not known"


def in_use(folder: Path) -> bool:
    """Whether another process works in `folder` under its lock."""
    if not (folder / NAME).is_file():
        return False
    try:
        with locked(folder, "a look", patience=0):
            return False
    except (CorollaError, OSError):
        return True
