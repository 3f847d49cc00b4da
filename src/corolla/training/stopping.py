"""Ctrl-C and SIGTERM in a training: the first ends it with everything kept; a second at once.

SIGTERM is what a batch system sends before it takes a machine away. Whatever a training writes is there whole or not at
all, so between two lines of code it may end anywhere. Only an epoch's step is finished first, so that it is not lost.
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

ECHO = 2.0  # seconds in which a launcher passes on to its processes what the terminal has sent them already


class Stopped(KeyboardInterrupt):
    """A training that was asked to end and has kept where it was; `by` is the signal's number.

    `at_once`: it was asked twice, and only what it had kept before is kept.
    """

    def __init__(self, by: int, at_once: bool = False) -> None:
        super().__init__()
        self.by, self.at_once = by, at_once


class GracefulShutdown:
    """While it is entered, signals that ask for an end raise `Stopped`; `asked` is the first one's number, or 0.

    Within `held` the first is only noted, for whoever looks at `asked` between two steps.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.since = 0.0
        self.holding = False
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():  # Python tells nobody else of signals
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
            raise Stopped(self.asked) from error  # another process has ended already, and this one waited for it

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it the first signal is noted and no more; one that nobody has answered by its end is answered then."""
        self.holding = True
        try:
            yield
        finally:
            self.holding = False
        self.check()

    def check(self) -> None:
        """Raise `Stopped` if that was asked for and is not held back."""
        if self.asked and not self.holding:
            raise Stopped(self.asked)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal, which ends what is not held; end at once on the next."""
        now = time.monotonic()
        if not self.asked:
            self.asked, self.since = number, now
            self.check()
        elif not is_distributed() or now - self.since > ECHO:
            raise Stopped(number, at_once=True)


class Watched(Progress):
    """Shows what `progress` shows, and ends at its next tick what has swallowed the exception of a signal."""

    def __init__(self, progress: Progress, stop: GracefulShutdown) -> None:
        self.progress, self.stop = progress, stop

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        """Show it, and raise `Stopped` if that was asked for."""
        self.progress.stage(title, done, total, detail)
        self.stop.check()

    def note(self, text: str) -> None:
        """Show it."""
        self.progress.note(text)
