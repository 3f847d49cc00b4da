"""Ctrl-C and SIGTERM in a training: the first ends it with everything saved; a second ends it at once.

A batch system sends SIGTERM before it takes a machine away. Every file is written whole or not at all, so a training
may end anywhere between two lines of code. Only a running training step is finished first, so that it is not lost.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from corolla.processes import is_distributed
from corolla.progress import Progress

ECHO = 2.0  # seconds in which a launcher repeats a signal that the terminal has already sent to its processes


class Stopped(KeyboardInterrupt):
    """A training was stopped by a signal and its position is saved; `by` is the signal's number.

    `at_once`: there were two signals, and only what was saved before is saved.
    """

    def __init__(self, by: int, at_once: bool = False) -> None:
        super().__init__()
        self.by, self.at_once = by, at_once


class GracefulShutdown:
    """A context in which SIGINT and SIGTERM raise `Stopped`; `asked` is the number of the first signal, or 0.

    Within `held` the first signal only sets `asked`, which the loop checks between two steps.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.since = 0.0
        self.holding = False
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():  # Python handles signals only there
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self.hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
        if self.asked and isinstance(error, Exception) and is_distributed():
            raise Stopped(self.asked) from error  # another process has already ended while this one waited for it

    @contextmanager
    def held(self) -> Iterator[None]:
        """A context in which the first signal only sets `asked`; if it is still pending, the exit raises `Stopped`."""
        self.holding = True
        try:
            yield
        finally:
            self.holding = False
        self.check()

    def check(self) -> None:
        """Raise `Stopped` if there was a signal and it is not held."""
        if self.asked and not self.holding:
            raise Stopped(self.asked)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: the first signal stops what is not held; the next one stops at once."""
        now = time.monotonic()
        if not self.asked:
            self.asked, self.since = number, now
            self.check()
        elif not is_distributed() or now - self.since > ECHO:
            raise Stopped(number, at_once=True)


class Watched(Progress):
    """Shows what `progress` shows, and raises `Stopped` at the next tick if some code swallowed it."""

    def __init__(self, progress: Progress, stop: GracefulShutdown) -> None:
        self.progress, self.stop = progress, stop

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        """Show it, and raise `Stopped` if there was a signal."""
        self.progress.stage(title, done, total, detail)
        self.stop.check()

    def note(self, text: str) -> None:
        """Show it."""
        self.progress.note(text)
