"""Processes that make views, and what becomes of a training when one is killed."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest

from corolla.training import workers
from corolla.training.workers import (
    GRACE,
    Loader,
    kill_stuck_workers,
    restart_dead_workers,
    worker_options,
    workers_alive,
)


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
    assert list(restart_dead_workers(lambda start: counting(start, breaks), 1, lambda: False)) == [1, 2, 3, 4, 5]
    assert breaks == {}


def test_an_error_while_all_of_them_live_is_an_error() -> None:
    breaks: dict[int, Exception] = {3: ConnectionResetError(104, "Connection reset by peer")}
    with pytest.raises(ConnectionResetError):
        list(restart_dead_workers(lambda start: counting(start, breaks), 0, lambda: True))


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

    assert list(restart_dead_workers(begin, 2, lambda: False)) == [2, 3, 4, 5]
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


def mapped(start: int) -> Iterator[int]:
    """The numbers from `start` to 5, by way of two worker processes."""
    batches = Loader(range(6), batch_size=None, sampler=range(start, 6), **worker_options(2))  # type: ignore[arg-type]
    return map(int, iter(batches))


STUCK: list[Path] = []  # while there is one, the first forked process that makes it a file never begins


def stick() -> None:
    if STUCK and not STUCK[0].exists():
        STUCK[0].touch()
        time.sleep(600)


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="only a fork can hang in its beginning")
def test_a_worker_that_hangs_in_its_fork_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "START_TIMEOUT", 0.5)
    begun: list[int] = []

    def begin(start: int) -> Iterator[int]:
        begun.append(start)
        return mapped(start)

    os.register_at_fork(after_in_child=stick)
    STUCK.append(tmp_path / "stuck")
    try:
        assert list(restart_dead_workers(begin, 0, lambda: True)) == [0, 1, 2, 3, 4, 5]
    finally:
        STUCK.clear()
    assert (tmp_path / "stuck").exists()
    assert begun == [0, 0]


def test_who_has_started_or_has_died_is_not_waited_for() -> None:
    context = multiprocessing.get_context("spawn")
    several = [context.Process(target=time.sleep, args=(600,)) for _ in range(2)]
    for worker in several:
        worker.start()
    several[1].kill()
    several[1].join()
    try:
        kill_stuck_workers(several, [1, 0], 1e6)
        assert several[0].is_alive()
        kill_stuck_workers(several, [0, 0], 0.1)
        assert not several[0].is_alive()
    finally:
        for worker in several:
            worker.kill()
            worker.join()
