"""The clock that a training's minutes are counted by; in one place, so that a test can put another one there."""

import time


def now() -> float:
    """Seconds since some moment; called as `clock.now()`."""
    return time.monotonic()


class Stopwatch:
    """Which phase of a command took how many seconds."""

    def __init__(self, started: float) -> None:
        self.last = started
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """Everything since the last lap was `phase`."""
        time_now = now()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time_now - self.last
        self.last = time_now
