"""What a process needs around it and a container may lack: open streams, a name for its user, places for caches.

Libraries look for these in ways of their own, as a rule with a warning or a traceback where there is none. Whatever is
there is left as it is.
"""

import getpass
import os
import sys
from contextlib import suppress

from corolla.data.cache import home_folder, may_write, own_temporary, usual_caches

# Libraries that keep something in the folder for caches, by the variable that names another place for it.
CACHES = {"HF_HOME": "huggingface", "TORCH_HOME": "torch"}


def settle() -> None:
    """Make good for this process, and those that it starts, what is missing."""
    open_streams()
    name_user()
    place_caches()


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


def place_caches() -> None:
    """Libraries keep their caches beside ours where they could not write to their own place, or have none."""
    usual, home = usual_caches(), home_folder()
    with suppress(OSError):
        for variable, name in CACHES.items():
            if variable not in os.environ and not (usual and ((usual / name).is_dir() or may_write(usual / name))):
                os.environ[variable] = str(own_temporary(name))
        if "TRITON_CACHE_DIR" not in os.environ and not (home and may_write(home / ".triton")):
            os.environ["TRITON_CACHE_DIR"] = str(own_temporary("triton"))
        # Matplotlib wants to write to both of its folders, and without one makes a new list of fonts each time.
        own = [usual and usual / "matplotlib", home and home / ".config" / "matplotlib"]
        if "MPLCONFIGDIR" not in os.environ and not all(place and may_write(place) for place in own):
            os.environ["MPLCONFIGDIR"] = str(own_temporary("matplotlib"))
