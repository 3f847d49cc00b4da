"""Ctrl-C and SIGTERM in a training: the first ends it after the step it is in, with everything kept; a second at once.

SIGTERM is what a batch system sends before it takes a machine away.
"""

import signal
import threading
import time
from types import FrameType
from typing import Any

from corolla.processes import several_wanted

ECHO = 2.0  # seconds in which a launcher passes on to its processes what the terminal has sent them already


class Stopped(KeyboardInterrupt):
    """A training that was asked to end and has kept where it was; `by` is the signal's number."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by = by


class Stop:
    """While it is entered, signals that ask for an end are noted in `asked`, the signal's number or 0."""

    def __init__(self) -> None:
        self.asked = 0
        self.since = 0.0
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():  # Python tells nobody else of signals
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self.hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; end at once on the next."""
        now = time.monotonic()
        if not self.asked:
            self.asked, self.since = number, now
        elif not several_wanted() or now - self.since > ECHO:
            raise Stopped(number)
