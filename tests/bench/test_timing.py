"""Timing: warmed up, the median, within its time, by a clock that the test turns."""

import pytest

from corolla.bench.timing import LEAST, Timing, timed


class Clock:
    """Stands still but for the work, each call of which takes the next of `durations`, the last one for good."""

    def __init__(self, *durations: float) -> None:
        self.now, self.durations, self.calls = 0.0, list(durations), 0

    def __call__(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1


def test_the_median_and_not_the_mean_and_without_the_first_call() -> None:
    clock = Clock(100.0, 1.0, 9.0, 2.0)
    assert timed(clock.work, 1.0, clock=clock) == Timing(median=2.0, quickest=1.0, repeats=3)


def test_slow_work_is_still_called_often_enough_for_a_median() -> None:
    clock = Clock(60.0)
    assert timed(clock.work, 1.0, clock=clock).repeats == LEAST
    assert clock.calls == 1 + LEAST


def test_quick_work_fills_its_time_and_no_more() -> None:
    clock = Clock(0.25)
    assert timed(clock.work, 10.0, clock=clock).repeats == 40
    assert clock.now == pytest.approx(12.0, abs=0.25)  # a fifth more to warm up


def test_what_a_call_began_is_waited_for_and_counts() -> None:
    clock, begun = Clock(0.0), []

    def settle() -> None:
        clock.now += 2.0
        begun.append(clock.now)

    assert timed(clock.work, 4.0, settle=settle, clock=clock).median == 2.0
    assert len(begun) == clock.calls
