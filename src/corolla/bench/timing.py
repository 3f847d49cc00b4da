"""How long a piece of work takes: warmed up first, then the median of as many calls as the time allows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

LEAST = 3  # timed calls, however long they take
WARM_SHARE = 0.2  # of the time, spent before anything is counted


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median and the quickest of `repeats` timed ones."""

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
    """Call `work` for about `seconds`, at least `LEAST` times after a first call that does not count.

    `settle` waits until what a call has begun is done; its time belongs to the call.
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
    """What waits until `device` has done all it was given: an accelerator answers before it has computed."""
    if device.startswith("cpu"):
        return lambda: None
    return lambda: torch.accelerator.synchronize(device)
