"""What a process needs around it and a container may lack: open streams, a name for its user, places for caches.

Libraries look for these in ways of their own, as a rule with a warning or a traceback where there is none. Whatever is
there is left as it is.
"""

import getpass
import logging
import os
import sys
import tempfile

from corolla.cache import cache_folder, home_folder, may_write, usual_caches
from corolla.errors import CorollaError

# Libraries that keep something in the folder for caches, by the variable that names another place for it.
CACHES = {"HF_HOME": "huggingface", "TORCH_HOME": "torch"}


def settle() -> None:
    """Make good for this process, and those that it starts, what is missing."""
    open_streams()
    name_user()
    place_temporary()
    place_caches()
    # Without any handler Python prints a library's log to the terminal: where its cache lies, that it looks for fonts.
    logging.getLogger("matplotlib").addHandler(logging.NullHandler())


def check_current_folder() -> None:
    """`CorollaError` where it was deleted: paths mean nothing there, and libraries end the process without a reason."""
    try:
        os.getcwd()  # noqa: PTH109 - nothing is done with it
    except OSError:
        raise CorollaError("the current folder was deleted; cd to another one and try again") from None


def open_streams() -> None:
    """Standard streams that were closed lead nowhere: else the next file to be opened would get what is printed."""
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
    """A user whose number is in no list gets a name, which libraries ask for without a need."""
    try:
        getpass.getuser()
    except (KeyError, ImportError, OSError):
        os.environ["USER"] = f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"


def place_temporary() -> None:
    """Temporary files go into our cache where their own folder may not be written to, or is full.

    Some libraries ask for the folder when they are loaded, whether or not they will need it; so they are told one even
    where there is none, and what does need it fails by its name.
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
    """Libraries keep their caches beside ours where they could not write to their own place, or have none."""
    usual, home, ours = usual_caches(), home_folder(), cache_folder() / "libraries"
    for variable, name in CACHES.items():
        if variable not in os.environ and not (usual and (os.path.isdir(usual / name) or may_write(usual / name))):  # noqa: PTH112 - False where nobody may look
            os.environ[variable] = str(ours / name)
    if "TRITON_CACHE_DIR" not in os.environ and not (home and may_write(home / ".triton")):
        os.environ["TRITON_CACHE_DIR"] = str(ours / "triton")
    # Matplotlib wants to write to both of its folders, and without one makes a new list of fonts each time.
    own = [usual and usual / "matplotlib", home and home / ".config" / "matplotlib"]
    if "MPLCONFIGDIR" not in os.environ and not all(place and may_write(place) for place in own):
        os.environ["MPLCONFIGDIR"] = str(ours / "matplotlib")
