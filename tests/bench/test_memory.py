"""Work in a process of its own: its answer, its errors, its end, and its memory alone."""

import os
import signal
import sys
import time

import numpy as np
import pytest

from corolla.bench.memory import apart, peak_memory
from corolla.errors import CorollaError


def test_the_answer_and_the_error_come_back() -> None:
    assert apart(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        apart(divmod, 7, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_that_the_system_kills_is_one_line() -> None:
    with pytest.raises(CorollaError, match="memory"):
        apart(signal.raise_signal, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_is_for_the_parent_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert apart(signal.raise_signal, signal.SIGINT) is None
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name == "nt", reason="nobody counts there")
def test_the_peak_is_that_of_this_process_even_after_it() -> None:
    held = np.ones(50_000_000)
    most = peak_memory("cpu")
    assert most is not None
    assert most > held.nbytes
    held_bytes = held.nbytes
    del held
    after = peak_memory("cpu")
    assert after is not None
    assert after > most - held_bytes / 10  # the kernel's count lags by some pages


@pytest.mark.skipif(sys.platform != "linux", reason="what ru_maxrss inherits is known of Linux")
def test_the_memory_of_the_parent_is_not_counted() -> None:
    held = np.ones(100_000_000)
    peak = apart(peak_memory, "cpu")
    assert peak is not None
    assert peak < held.nbytes


@pytest.mark.skipif(os.name == "nt", reason="Windows has no alarm")
def test_a_process_in_the_way_is_ended() -> None:
    """What interrupts the wait, such as Ctrl-C, does not leave the other process behind."""
    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            apart(time.sleep, 600)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert time.monotonic() - began < 300
