"""The clock of a training's time budget; in one place, so that a test can replace it."""

import time


def now() -> float:
    """Monotonic seconds; called as `clock.now()`."""
    return time.monotonic()


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
