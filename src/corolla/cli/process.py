"""Fast imports and a fast exit."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process after every exit handler has run and the output is flushed.

    Python would also tear down all modules, which with torch loaded takes longer than the prediction of an image.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader has exited, which `main` reports in the status
            stream.flush()
    os._exit(status)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Load modules without garbage collection: imports create almost no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
