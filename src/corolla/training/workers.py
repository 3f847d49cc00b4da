"""Data loader workers: how they start, and what happens when one is killed."""

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any, TypeVar

from torch.utils.data import DataLoader

from corolla.host import tune_malloc
from corolla.processes import without_script

DEATHS = 3  # of workers in one epoch, at most; after more the training gives up
START_TIMEOUT = 60.0  # seconds; a forked worker normally starts in a hundredth of a second, unless the machine swaps
GRACE = 5.0  # seconds, on a busy machine, until a worker's death is certain; waited after an error only

T = TypeVar("T")


class Loader(DataLoader[T]):
    """A `DataLoader` whose workers do not run the user's script again and cannot hang at their start.

    A fork copies the locks that other threads hold. Before Python 3.12 the new process may wait for one of them forever
    (cpython issue 112275), and the training waits for its batch; short-lived threads of gloo and autograd make this
    likely enough to happen. So a worker that has not started after `START_TIMEOUT` is killed, and
    `restart_dead_workers` handles it like any other dead worker.
    """

    def _get_iterator(self) -> Any:
        if not self.num_workers:
            return super()._get_iterator()
        started = RawArray("b", self.num_workers)  # 1 for each worker that has started
        self.worker_init_fn = partial(start_worker, started)
        with without_script():
            batches: Any = super()._get_iterator()
        default_sigchld()
        if multiprocessing.get_start_method() == "fork":  # another kind imports torch first, which may take minutes
            kill_stuck_workers(batches._workers, started, START_TIMEOUT)
        return batches


def kill_stuck_workers(workers: Sequence[BaseProcess], started: Sequence[int], patience: float) -> None:
    """Kill the `workers` that have not `started` in `patience` seconds; does not wait for dead ones."""
    end = time.monotonic() + patience
    for number, worker in enumerate(workers):
        while not started[number] and worker.is_alive():
            if time.monotonic() > end:
                worker.kill()
                worker.join()
            time.sleep(0.002)


def worker_options(workers: int) -> dict[str, Any]:
    """The arguments of a `Loader` with `workers` processes; 0 loads in the training process."""
    return {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "prefetch_factor": 3 if workers else None,
    }


def start_worker(started: MutableSequence[int], number: int) -> None:
    """The initialization of worker `number`."""
    started[number] = 1
    tune_malloc()
    # Ctrl-C reaches every process of a terminal; the training handles it, and may still need this worker's batch.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def restart_dead_workers(begin: Callable[[int], Iterator[T]], start: int, alive: Callable[[], bool]) -> Iterator[T]:
    """Yield the batches of `begin(start)`; whenever a worker was killed, begin again after the last batch.

    The usual killer is the operating system, when memory is short. `alive` says whether all workers of the last
    `begin` are alive; it is called only after an error, and may take some time.
    """
    done, deaths = start, 0
    while True:
        try:
            for batch in begin(done):
                yield batch
                done += 1
            return
        except (RuntimeError, OSError, EOFError) as error:
            deaths += 1
            if deaths > DEATHS or ("DataLoader worker" not in str(error) and alive()):
                raise


def workers_alive(batches: Any, patience: float = 0.0) -> bool:
    """Whether every worker of a `DataLoader`'s iterator is alive, now and after `patience` seconds.

    The connection of a killed worker breaks a little before the system reports its end, so a caller with an error
    waits for `GRACE`. Other callers do not wait, so that a normal epoch start costs nothing.
    """
    ends = [worker.sentinel for worker in getattr(batches, "_workers", ())]
    return not ends or not wait(ends, patience)


def default_sigchld() -> None:
    """Report a worker's death where the training waits for its batch.

    PyTorch raises it from a signal handler, wherever the training is: for example between the updates of two weights.
    """
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
