"""A folder has one worker at a time, and a killed one holds nothing."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from corolla import lock
from corolla.errors import CorollaError
from corolla.lock import in_use, locked

HOLD = """
import sys
from pathlib import Path
from corolla.lock import locked
with locked(Path(sys.argv[1]), "training"):
    (Path(sys.argv[1]) / "weights").touch()
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of a folder until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_in_one_line_that_names_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with holding(folder) as other:
        with pytest.raises(CorollaError) as caught, locked(folder, "calibration", patience=0.1):
            pass
        for words in (str(folder), "training", f"process {other.pid}", socket.gethostname()):
            assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert in_use(folder)
        other.communicate("", timeout=30)
    with locked(folder, "calibration"):
        pass
    assert [path.name for path in folder.iterdir()] == ["weights"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holding(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(30)
        assert (tmp_path / lock.NAME).is_file()
        assert not in_use(tmp_path)
        with locked(tmp_path, "training", patience=0.1):
            assert f"process {os.getpid()}" in (tmp_path / lock.NAME).read_text()
    assert not (tmp_path / lock.NAME).exists()


def test_one_process_is_refused_twice_as_well(tmp_path: Path) -> None:
    with locked(tmp_path, "training"):
        with pytest.raises(CorollaError, match="another process"), locked(tmp_path, "training", patience=0.1):
            pass
        assert (tmp_path / lock.NAME).is_file()


def test_a_folder_that_nothing_was_put_into_is_gone_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "new", "training"):
        raise RuntimeError("no data")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with locked(tmp_path / "old", "training"):
        pass
    assert list((tmp_path / "old").iterdir()) == []


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorollaError, match="is a file"), locked(tmp_path / "file", "training"):
        pass


@pytest.mark.parametrize("number", sorted(lock.WITHOUT_LOCKS))
def test_where_there_are_no_locks_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: filelock.FileLock) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    notes: list[str] = []
    with locked(tmp_path, "training", notes.append):
        (tmp_path / "weights").touch()
    assert len(notes) == 1
    assert str(tmp_path) in notes[0]


def test_another_error_of_the_system_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: filelock.FileLock) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(OSError, match="no space"), locked(tmp_path, "training"):
        pass
