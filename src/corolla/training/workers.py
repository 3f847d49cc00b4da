"""The processes that make views: how they begin, and what happens when one is killed."""

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

from corolla.memory import tune_malloc
from corolla.processes import without_script

DEATHS = 3  # of workers in one epoch, after which the training gives up
START_TIMEOUT = 60.0  # seconds; a forked worker has started after a hundredth of one, unless the machine swaps
GRACE = 5.0  # seconds, on a busy machine, from the first sign of a death to its certainty; waited after an error only

T = TypeVar("T")


class Loader(DataLoader[T]):
    """A `DataLoader` whose processes do not run the user's script again, and of which none hangs as it starts.

    A fork copies the locks that other threads hold. Before 3.12 Python may wait for one of them in the new process for
    ever (cpython issue 112275), and the training for that process's batch; threads of gloo and of autograd that come
    and go make it likely enough to happen. So a worker that has not started after `START_TIMEOUT` is killed, and that
    is then a death like any other: see `restart_dead_workers`.
    """

    def _get_iterator(self) -> Any:
        if not self.num_workers:
            return super()._get_iterator()
        started = RawArray("b", self.num_workers)  # 1 for each worker that has
        self.worker_init_fn = partial(start_worker, started)
        with without_script():
            batches: Any = super()._get_iterator()
        default_sigchld()
        if multiprocessing.get_start_method() == "fork":  # another kind imports torch first, which may take minutes
            kill_stuck_workers(batches._workers, started, START_TIMEOUT)
        return batches


def kill_stuck_workers(workers: Sequence[BaseProcess], started: Sequence[int], patience: float) -> None:
    """Kill those of `workers` that have not `started` in `patience` seconds, and do not wait for those that died."""
    end = time.monotonic() + patience
    for number, worker in enumerate(workers):
        while not started[number] and worker.is_alive():
            if time.monotonic() > end:
                worker.kill()
                worker.join()
            time.sleep(0.002)


def worker_options(workers: int) -> dict[str, Any]:
    """What a `Loader` is told of its `workers` processes; 0 are none besides the training's own."""
    return {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "prefetch_factor": 3 if workers else None,
    }


def start_worker(started: MutableSequence[int], number: int) -> None:
    """What worker `number`, a process that makes views, does first."""
    started[number] = 1
    tune_malloc()
    # Ctrl-C reaches every process of a terminal; the training decides what it means, and needs its batch for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def restart_dead_workers(begin: Callable[[int], Iterator[T]], start: int, alive: Callable[[], bool]) -> Iterator[T]:
    """What `begin(start)` gives, batch by batch, begun again after the last one whenever a worker was killed.

    As a rule the system does that, for want of memory. `alive` says whether no worker of the last `begin` was; it is
    asked after an error only, and may take its time.
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
    """Whether every worker of a `DataLoader`'s iterator is there still, and after `patience` seconds too.

    What one that is killed was sending breaks off a little before the system says that it has ended, so whoever asks
    because of an error waits for `GRACE`. Nobody else waits: an epoch that begins well must not pay for it.
    """
    ends = [worker.sentinel for worker in getattr(batches, "_workers", ())]
    return not ends or not wait(ends, patience)


def default_sigchld() -> None:
    """Let a worker's death show where its batch is waited for.

    PyTorch raises it from a signal handler, wherever the training is: between the updates of two weights, say.
    """
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
