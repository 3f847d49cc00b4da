"""Processes that are killed, stopped and started twice."""

import signal
import sys

import pytest

from breaking import killing
from breaking.setting import Setting

TRIES = 4  # benchmarks/faults.py tries 20, which takes some minutes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def test_killed_at_random_moments_a_training_ends_with_the_unbroken_ones_weights(setting: Setting) -> None:
    tally = killing.kill_at_random_moments(setting, TRIES)
    assert tally.tried == TRIES
    assert tally.good, tally.wrong
    assert len(tally.where) > 1  # not all of them at the same stage


def test_a_second_training_is_refused_and_the_first_goes_on(setting: Setting) -> None:
    tally = killing.two_in_one_folder(setting, 1)
    assert tally.good, tally.wrong


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_twice_it_ends_in_one_line_and_goes_on(setting: Setting, number: signal.Signals, status: int) -> None:
    tally = killing.stop_twice(setting, 1, (number, number), status, f"{number.name} twice")
    assert tally.good, tally.wrong


def test_a_killed_worker_costs_nothing(setting: Setting) -> None:
    tally = killing.kill_a_worker(setting, 1)
    assert tally.good, tally.wrong
