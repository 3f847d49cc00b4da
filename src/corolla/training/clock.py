"""The clock of a training's time budget; in one place, so that a test can replace it."""

import time


def now() -> float:
    """Monotonic seconds; called as `clock.now()`."""
    return time.monotonic()


class CommandClock:
    """The time since a command started and since the last lap; `earlier` are the seconds before it was resumed."""

    def __init__(self, started: float | None = None) -> None:
        self.last = now()
        self.started, self.earlier = self.last if started is None else started, 0.0

    def lap(self) -> float:
        """Seconds since the last lap."""
        before, self.last = self.last, now()
        return self.last - before

    def spent(self) -> float:
        """Seconds of the whole command, including the time before it was resumed."""
        return self.earlier + now() - self.started


class Stopwatch:
    """The seconds that each phase of a command took."""

    def __init__(self, started: float) -> None:
        self.last = started
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """Add the time since the last lap to `phase`."""
        time_now = now()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time_now - self.last
        self.last = time_now
