"""Time a function: warm-up first, then the median of as many calls as the time allows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

LEAST = 3  # timed calls, however long they take
WARM_SHARE = 0.2  # of the time, for the warm-up


@dataclass(frozen=True)
class Timing:
    """Seconds per call: the median and the minimum of `repeats` timed calls."""

    median: float
    quickest: float
    repeats: int


def timed(
    work: Callable[[], Any],
    seconds: float,
    *,
    settle: Callable[[], Any] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Call `work` for about `seconds`, at least `LEAST` times, after a warm-up that does not count.

    `settle` waits until the work that a call started is done; its time belongs to the call.
    """
    begun = clock()
    work()
    settle()
    while clock() - begun < WARM_SHARE * seconds:
        work()
        settle()
    times: list[float] = []
    begun = clock()
    while len(times) < LEAST or clock() - begun < seconds:
        start = clock()
        work()
        settle()
        times.append(clock() - start)
    return Timing(median(times), min(times), len(times))


def settler(device: str) -> Callable[[], None]:
    """A function that waits until `device` has finished: an accelerator's calls return before it has computed."""
    if device.startswith("cpu"):
        return lambda: None
    return lambda: torch.accelerator.synchronize(device)
