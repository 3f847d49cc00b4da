"""Run a function in its own process, so that the peak memory is that of the function."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from corolla.errors import CorollaError
from corolla.processes import without_script

T = TypeVar("T")
P = ParamSpec("P")


def apart(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """The result of `work` in a new process; its exceptions are raised here.

    `work` must be a function of a module, so that the other process can import it. Raises `CorollaError` if that
    process is killed, usually because the system is out of memory.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(there, work, given, named))
    with deaf_to_ctrl_c(), without_script():
        process.start()
    there.close()
    try:
        returned, outcome = here.recv()
    except EOFError:
        raise CorollaError(
            "the measured process was killed, usually because memory is short; use a smaller --batch or --model"
        ) from None
    finally:
        process.kill()
        process.join()
        here.close()
    if not returned:
        raise outcome
    return outcome  # type: ignore[no-any-return]


def answer(there: Connection, work: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> None:
    """In the other process: call `work` and send (True, its result) or (False, its exception)."""
    try:
        there.send((True, work(*given, **named)))
    except Exception as error:
        there.send((False, error))


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """A process started in this context ignores Ctrl-C: its parent ends it, and it prints no traceback."""
    if threading.current_thread() is not threading.main_thread():  # Python sets handlers only in the main thread
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def peak_memory(device: str) -> int | None:
    """The peak memory of this process in bytes, on the GPU if it computes there; None if the system does not tell."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        # Not ru_maxrss, which on Linux a process inherits from its parent.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if peaks:
            return 1024 * int(peaks[0])
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
