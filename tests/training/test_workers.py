"""Processes that make views, and what becomes of a training when one is killed."""

import multiprocessing
import time
from collections.abc import Iterator
from threading import Timer
from types import SimpleNamespace

import pytest

from corolla.training.workers import GRACE, surviving, workers_alive


def counting(start: int, breaks: dict[int, Exception]) -> Iterator[int]:
    for number in range(start, 6):
        if number in breaks:
            raise breaks.pop(number)
        yield number


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionRefusedError(111, "Connection refused"),
        EOFError(),
    ],
)
def test_every_sign_of_a_death_is_gone_on_from_without_a_batch_lost_or_twice(error: Exception) -> None:
    breaks: dict[int, Exception] = {3: error, 5: error}
    assert list(surviving(lambda start: counting(start, breaks), 1, lambda: False)) == [1, 2, 3, 4, 5]
    assert breaks == {}


def test_an_error_while_all_of_them_live_is_an_error() -> None:
    breaks: dict[int, Exception] = {3: ConnectionResetError(104, "Connection reset by peer")}
    with pytest.raises(ConnectionResetError):
        list(surviving(lambda start: counting(start, breaks), 0, lambda: True))


def test_a_worker_that_is_about_to_be_dead_is_not_taken_for_alive() -> None:
    context = multiprocessing.get_context("spawn")
    several = [context.Process(target=time.sleep, args=(60,)) for _ in range(2)]
    for worker in several:
        worker.start()
    dying = Timer(0.3, several[1].kill)
    dying.start()
    try:
        assert not workers_alive(SimpleNamespace(_workers=several), GRACE)
    finally:
        dying.join()
        for worker in several:
            worker.kill()
            worker.join()


def test_a_death_while_the_workers_are_set_to_an_epoch_is_gone_on_from() -> None:
    begun: list[int] = []

    def begin(start: int) -> Iterator[int]:
        begun.append(start)
        if len(begun) == 1:
            raise RuntimeError("DataLoader worker (pid 7) exited unexpectedly")
        return counting(start, {})

    assert list(surviving(begin, 2, lambda: False)) == [2, 3, 4, 5]
    assert begun == [2, 2]


def test_living_workers_and_none_are_alive_and_that_is_known_at_once() -> None:
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        asked = time.monotonic()
        assert workers_alive(SimpleNamespace(_workers=[worker]))
        assert workers_alive(SimpleNamespace(), 1e6)
        assert time.monotonic() - asked < GRACE
    finally:
        worker.kill()
        worker.join()
