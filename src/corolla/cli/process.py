"""A process that loads its libraries and ends as quickly as they let it."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process once all is written and every exit handler has run.

    Python would go on to take its modules apart, which with torch loaded takes longer than to answer for an image.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader went away, which `main` has told in the status
            stream.flush()
    os._exit(status)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Within it modules are loaded without looking for garbage: what they make, they keep."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
