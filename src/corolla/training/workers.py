"""The processes that make views: how they begin, and what happens when one is killed."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import Any, TypeVar

from torch.utils.data import DataLoader

from corolla.memory import keep_freed_memory
from corolla.processes import without_script

DEATHS = 3  # of workers in one epoch, after which the training gives up
GRACE = 5.0  # seconds, on a busy machine, from the first sign of a death to its certainty; waited after an error only

T = TypeVar("T")


class Loader(DataLoader[T]):
    """A `DataLoader` whose processes do not run the user's script again."""

    def __iter__(self) -> Any:
        with without_script():
            return super().__iter__()


def worker_options(workers: int) -> dict[str, Any]:
    """What a `DataLoader` is told of its `workers` processes; 0 are none besides the training's own."""
    return {
        "num_workers": workers,
        "worker_init_fn": start_worker,
        "persistent_workers": workers > 0,
        "prefetch_factor": 3 if workers else None,
    }


def start_worker(_: int) -> None:
    """What a process that makes views does first."""
    keep_freed_memory()
    # Ctrl-C reaches every process of a terminal; the training decides what it means, and needs its batch for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def surviving(begin: Callable[[int], Iterator[T]], start: int, alive: Callable[[], bool]) -> Iterator[T]:
    """What `begin(start)` gives, batch by batch, begun again after the last one whenever a worker was killed.

    As a rule the system does that, for want of memory. `alive` says whether no worker of the last `begin` was; it is
    asked after an error only, and may take its time.
    """
    done, deaths = start, 0
    while True:
        try:
            batches = begin(done)
            hear_of_deaths_when_asked()
            for batch in batches:
                yield batch
                done += 1
            return
        except (RuntimeError, OSError, EOFError) as error:
            deaths += 1
            if deaths > DEATHS or ("DataLoader worker" not in str(error) and alive()):
                raise


def workers_alive(batches: Any, patience: float = 0.0) -> bool:
    """Whether every worker of a `DataLoader`'s iterator is there still, and after `patience` seconds too.

    What one that is killed was sending breaks off a little before the system says that it has ended, so whoever asks
    because of an error waits for `GRACE`. Nobody else waits: an epoch that begins well must not pay for it.
    """
    ends = [worker.sentinel for worker in getattr(batches, "_workers", ())]
    return not ends or not wait(ends, patience)


def hear_of_deaths_when_asked() -> None:
    """Let a worker's death show where its batch is waited for.

    PyTorch raises it from a signal handler, wherever the training is: between the updates of two weights, say.
    """
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
