"""The processes of `speed.py`: the contenders, their environment, and their turns.

This module imports only the standard library: the referee's memory would count in that of its contenders.
"""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

Answer = dict[str, Any]

HERE = Path(__file__).parent
PEERS = ("torch", "torchvision", "timm", "transformers", "accelerate")
TAIL = 20  # lines of a contender's log in its error message


def peers_environment(folder: Path) -> Path:
    """The interpreter of a virtual environment with the peers at the tested versions; made if it does not exist."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.is_file():
        print(f"installing {', '.join(PEERS)} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        constraints = HERE.parent / "constraints.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-c", constraints, *PEERS], check=True)
        ready.touch()
    return python.absolute()


def surroundings() -> dict[str, str]:
    """The environment variables of every contender: ours, our modules, no network access, no GPU."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}


class Contender:
    """The process of one contender, controlled by lines of JSON."""

    def __init__(self, name: str, python: Path, log: Path) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [python, "-m", f"contenders.{name}_side"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                text=True, env=surroundings(),
            )  # fmt: skip
        self.requests, self.answers = self.process.stdin, self.process.stdout

    def ask(self, do: str, **request: Any) -> Answer:
        """Its answer; RuntimeError with the end of its log if there is none."""
        try:
            self.requests.write(json.dumps({"do": do} | request) + "\n")
            self.requests.flush()
            line = self.answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])
            raise RuntimeError(f"{self.name} did not answer {do}; the end of {self.log}:\n{tail}")
        answer: Answer = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self.requests.close()
        self.process.wait()
        self.answers.close()


class Hall:
    """Starts contenders: corolla with our interpreter, all others with that of the peers."""

    def __init__(self, peers: Path, logs: Path) -> None:
        self.peers, self.logs = peers, logs

    def python(self, name: str) -> Path:
        """The interpreter of a contender."""
        return Path(sys.executable) if name == "corolla" else self.peers

    @contextmanager
    def called(self, names: Iterable[str]) -> Iterator[dict[str, Contender]]:
        """The contenders of these names, each in a new process that ends with the block."""
        with ExitStack() as ending:
            contenders = {}
            for name in names:
                contenders[name] = Contender(name, self.python(name), self.logs / f"{name}.log")
                ending.callback(contenders[name].close)
                contenders[name].ask("about")  # wait for its imports, which would disturb the others
            yield contenders

    def asked_once(self, name: str, do: str, **request: Any) -> Answer:
        """The answer of a contender in a new process."""
        with self.called([name]) as contenders:
            return contenders[name].ask(do, **request)

    def starts(self, names: Sequence[str], folder: Path, photo: str) -> dict[str, list[str]]:
        """The commands of whole processes that predict `photo` with a ViT-S/16, each run once for the file cache.

        The models are saved below `folder`.
        """
        commands = {}
        for name in names:
            saved = str(folder / f"saved_{name}")
            self.asked_once(name, "save", folder=saved, model="small")
            words = ["corolla", "predict"] if name == "corolla" else ["contenders.once", name]
            commands[name] = [str(self.python(name)), "-m", *words, saved, photo]
            wall_seconds(commands[name])
        return commands


def wall_seconds(command: Sequence[str]) -> float:
    """Wall seconds of a whole process; RuntimeError with its output if it fails."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings())
    taken = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return taken


def in_turns(names: Sequence[str], repeats: int, measure: Callable[[str], Answer]) -> dict[str, list[Answer]]:
    """`repeats` rounds of `measure` for every name; the first of a round changes, to be fair to all."""
    answers: dict[str, list[Answer]] = {name: [] for name in names}
    for number in range(repeats):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            answers[name].append(measure(name))
            told = ", ".join(f"{key} {value:.4g}" for key, value in answers[name][-1].items())
            print(f"  {number + 1}/{repeats} {name}: {told}", file=sys.stderr, flush=True)
    return answers
