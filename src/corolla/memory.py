"""Memory that large layers ask for again in every step stays with the process."""

import ctypes
import sys
from contextlib import suppress

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
KEEP, AHEAD = 2**31 - 1, 2**28  # bytes
SETTINGS = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEEP), (M_TOP_PAD, AHEAD))


def tune_malloc() -> bool:
    """Tell glibc's allocator to keep large freed blocks; whether that was possible.

    By itself it hands each back to the system and asks for it again, zeroed page by page: a third of the time of a
    convolutional network's forward pass on a CPU. The process then holds the most it ever needed until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(mallopt(option, value) == 1 for option, value in SETTINGS)


def give_back_freed_memory() -> None:
    """Hand what is free back to the system all the same, once: before work of another shape, or a long rest."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
