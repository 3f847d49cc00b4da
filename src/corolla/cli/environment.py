"""Repairs what a container may lack: open standard streams, a user name, writable folders for caches.

Without them, libraries print warnings or fail with a traceback. Whatever exists is not changed.
"""

import getpass
import logging
import os
import sys
import tempfile

from corolla.cache import cache_folder, home_folder, may_write, usual_caches
from corolla.errors import CorollaError

# The cache folder of each library, by the environment variable that sets another one.
CACHES = {"HF_HOME": "huggingface", "TORCH_HOME": "torch"}


def settle() -> None:
    """Supply what is missing, for this process and those that it starts."""
    open_streams()
    name_user()
    place_temporary()
    place_caches()
    # Without a handler, Python prints a library's log messages to the terminal, such as those about caches and fonts.
    logging.getLogger("matplotlib").addHandler(logging.NullHandler())


def check_current_folder() -> None:
    """`CorollaError` if it was deleted: paths do not work there, and libraries end the process without a reason."""
    try:
        os.getcwd()  # noqa: PTH109 - nothing is done with it
    except OSError:
        raise CorollaError("the current folder was deleted; cd to another one and try again") from None


def open_streams() -> None:
    """Open closed standard streams on the null device; otherwise the next opened file would get the output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open
        setattr(sys, name, stream)


def name_user() -> None:
    """Name a user whose ID has no name; libraries ask for one without need."""
    try:
        getpass.getuser()
    except (KeyError, ImportError, OSError):
        os.environ["USER"] = f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"


def place_temporary() -> None:
    """Put temporary files into our cache if their own folder is full or not writable.

    Some libraries ask for the folder on import, even if they never use it. They always get one; if it does not exist,
    its first use fails with its name.
    """
    try:
        tempfile.gettempdir()
        return
    except OSError:
        ours = cache_folder() / "temporary"
    try:
        ours.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=ours):
            os.environ["TMPDIR"] = tempfile.tempdir = str(ours)
    except OSError:
        tempfile.tempdir = os.path.join(os.sep, "tmp")  # noqa: PTH118 - a string, as Python keeps it


def place_caches() -> None:
    """Put the caches of libraries beside ours if their own folders are missing or not writable."""
    usual, home, ours = usual_caches(), home_folder(), cache_folder() / "libraries"
    for variable, name in CACHES.items():
        if variable not in os.environ and not (usual and (os.path.isdir(usual / name) or may_write(usual / name))):  # noqa: PTH112 - False where nobody may look
            os.environ[variable] = str(ours / name)
    if "TRITON_CACHE_DIR" not in os.environ and not (home and may_write(home / ".triton")):
        os.environ["TRITON_CACHE_DIR"] = str(ours / "triton")
    # Matplotlib writes to both of its folders; without one it makes a new list of fonts each time.
    own = [usual and usual / "matplotlib", home and home / ".config" / "matplotlib"]
    if "MPLCONFIGDIR" not in os.environ and not all(place and may_write(place) for place in own):
        os.environ["MPLCONFIGDIR"] = str(ours / "matplotlib")
