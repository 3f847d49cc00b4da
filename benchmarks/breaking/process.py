"""Starts, stops and awaits real processes of `corolla`, each with a time limit.

Importing torch takes longer than the small trainings here, and no data can be lost during it. On Linux, most processes
are therefore forked from one that has imported everything and done nothing else; for the operating system and for these
experiments they are normal processes. `cold` starts one like a user.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LIMIT = 300.0  # maximum seconds of a process, on a busy machine
EVERY = 0.002  # seconds between two polls
CAN_FORK = sys.platform == "linux"


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    status: int  # exit status, or minus the signal that ended it
    err: str
    seconds: float

    @property
    def last(self) -> str:
        """The last line of its standard error."""
        return (self.err.splitlines() or [""])[-1]

    @property
    def orderly(self) -> bool:
        """Whether it ended without a traceback, and with a line for the user if it failed."""
        return "Traceback" not in self.err and (self.status == 0 or self.last.startswith("corolla: "))


class Process:
    """A process of `corolla` and its standard error."""

    def __init__(self, process: psutil.Process, said: Path) -> None:
        self.process, self.said, self.started = process, said, time.monotonic()

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        raise NotImplementedError

    def err(self) -> str:
        """Its standard error so far."""
        return self.said.read_text(encoding="utf-8", errors="replace")

    def send(self, number: int) -> None:
        """Send it a signal, if it is still running."""
        if self.poll() is None:
            with suppress(psutil.NoSuchProcess):
                self.process.send_signal(number)

    def children(self) -> list[psutil.Process]:
        """The processes that it started."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def wait(self, limit: float = LIMIT) -> Ended:
        """Wait for its end; after `limit` seconds kill it and raise `TimeoutError`."""
        while self.poll() is None:
            if time.monotonic() - self.started > limit:
                self.send(signal.SIGKILL)
                raise TimeoutError(f"still running after {limit:.0f} s; its output:\n{self.err()[-2000:]}")
            time.sleep(EVERY)
        return Ended(self.poll() or 0, self.err(), time.monotonic() - self.started)

    def wait_for(self, words: str, limit: float = LIMIT) -> bool:
        """Wait until its standard error has `words`; False if it ended without them."""
        while words not in self.err():
            if self.poll() is not None:
                return words in self.err()
            if time.monotonic() - self.started > limit:
                self.wait(limit)
            time.sleep(EVERY)
        return True

    def kill(self) -> Ended:
        """`kill -9` the process and its children, which would otherwise end a little later by themselves."""
        left = self.children()
        self.send(signal.SIGKILL)
        ended = self.wait()
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return ended


class Cold(Process):
    """A process started like a user's."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: Path) -> None:
        self.popen = process
        super().__init__(psutil.Process(process.pid), said)

    def poll(self) -> int | None:
        return self.popen.poll()


class Forked(Process):
    """A process forked from the preloaded one, which records its exit status."""

    def __init__(self, pid: int, said: Path, statuses: Path) -> None:
        self.status_file = statuses / str(pid)
        super().__init__(psutil.Process(pid), said)

    def poll(self) -> int | None:
        try:
            return int(self.status_file.read_text())
        except (FileNotFoundError, ValueError):
            return None


class Commands:
    """Starts processes of `corolla` that share a cache folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        (folder / "said").mkdir(parents=True, exist_ok=True)
        (folder / "ended").mkdir(exist_ok=True)
        paths = [str(Path(__file__).resolve().parents[1]), *(path for path in sys.path if path)]
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "COROLLA_CACHE": str(folder / "cache"),
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        self.loaded: subprocess.Popen[str] | None = None

    def start(self, *words: object, cold: bool = False, environment: Mapping[str, str] | None = None) -> Process:
        """Start `corolla WORDS`."""
        self.count += 1
        said, given = self.folder / "said" / f"{self.count}.txt", [str(word) for word in words]
        if cold or not CAN_FORK:
            command = [sys.executable, "-m", "corolla", *given]
            with said.open("wb") as file:
                return Cold(
                    subprocess.Popen(
                        command,
                        env=self.environment | dict(environment or {}),
                        stdin=subprocess.DEVNULL,
                        stdout=file,
                        stderr=file,
                        # Background scripts ignore Ctrl-C, and their children inherit this.
                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                    ),
                    said,
                )
        if self.loaded is None:
            command = [sys.executable, "-m", "breaking.forking", str(self.folder / "ended")]
            self.loaded = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.loaded.stdin is not None
        assert self.loaded.stdout is not None
        asked = {"words": given, "said": str(said), "environment": dict(environment or {})}
        said.touch()
        self.loaded.stdin.write(json.dumps(asked) + "\n")
        self.loaded.stdin.flush()
        return Forked(int(self.loaded.stdout.readline()), said, self.folder / "ended")

    def run(self, *words: object, environment: Mapping[str, str] | None = None, cold: bool = False) -> Ended:
        """Start `corolla WORDS` and wait for its end."""
        return self.start(*words, environment=environment, cold=cold).wait()

    def close(self) -> None:
        """Kill the preloaded process."""
        if self.loaded is not None:
            self.loaded.kill()
            self.loaded.communicate()
            self.loaded = None


@contextmanager
def commands(folder: Path) -> Iterator[Commands]:
    """Starts processes within the block, with their files under `folder`."""
    made = Commands(folder)
    try:
        yield made
    finally:
        made.close()
