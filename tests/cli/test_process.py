"""How the process of a command loads and ends."""

import gc
import subprocess
import sys

import pytest

from corolla.cli.process import quick_imports


def ended(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_it_leaves_with_everything_written_and_every_handler_run() -> None:
    said = ended(
        "import atexit, sys\n"
        "from corolla.cli.process import leave\n"
        "atexit.register(lambda: print('handled'))\n"
        "print('x' * 1_000_000)\n"
        "print('told', file=sys.stderr, end='')\n"
        "leave(7)"
    )
    assert said.returncode == 7
    assert said.stdout == "x" * 1_000_000 + "\nhandled\n"
    assert said.stderr == "told"


def test_a_reader_that_went_away_is_no_error() -> None:
    said = ended("import sys\nfrom corolla.cli.process import leave\nprint('lost')\nsys.stdout.close()\nleave(141)")
    assert (said.returncode, said.stderr) == (141, "")


def test_garbage_is_looked_for_again_after_the_imports() -> None:
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()
