"""How each promise is measured. A measure takes a `Scene` and returns one figure in the unit of the promise."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dial
from corolla.bench.epochs import EpochCost, measure_epochs
from corolla.bench.images import gather
from corolla.painted import paint
from corolla.progress import Progress
from corolla.training.runtime import Runtime, choose_device, usual_workers
from referee import Hall, wall_seconds

READY = 192  # painted images that the epochs are measured on
# Minimum length of each epoch. A training has at most twenty validations, and it writes little more often than it
# validates: in three minutes, both happen every nine seconds.
EPOCH_SECONDS = 9.0
LIBRARIES = "import typer.rich_utils, rich.markdown"  # the libraries that print `--help`
HELPS = 25  # processes of each kind
# Of the comparison with a peer. Memory placement makes a process up to a seventh faster or slower for its whole life,
# so several processes of each are measured.
PAIRS, ROUNDS = 3, 3
STARTS = 5  # whole processes


@dataclass
class Scene:
    """The working folder of the measures, and results that several of them use."""

    folder: Path

    @cached_property
    def demo(self) -> tuple[float, float]:
        """Minutes of a complete demo on painted images, and its test accuracy in [0, 1]."""
        begun = time.monotonic()
        # A folder without photographs: the demo neither finds them nor offers a download.
        nothing = self.folder / "no photographs"
        nothing.mkdir()
        environment = os.environ | {"COROLLA_DATA": str(nothing), "COROLLA_CACHE": str(self.folder / "cache")}
        run(["demo", "--out", str(self.folder / "demo")], environment)
        minutes = (time.monotonic() - begun) / 60
        evaluation = (self.folder / "demo" / "run" / "evaluation.json").read_text(encoding="utf-8")
        return minutes, float(json.loads(evaluation)["accuracy"])

    def epochs(self, size: int) -> EpochCost:
        """The cost of epochs on decoded images at `size` pixels."""
        images = self.folder / f"images {size}"
        images.mkdir()
        manifest = gather(None, images, READY, Progress())
        return measure_epochs(manifest, size, Runtime(choose_device(), usual_workers()), EPOCH_SECONDS)

    def dial(self, name: str) -> float:
        """The difference between taken and requested minutes of a training, as a fraction of the requested ones."""
        minutes = dial.MINUTES[name]
        data = dial.make(dial.SETS[name], self.folder / name)
        seconds, refused = dial.train(data, self.folder / f"run {name}", minutes, busy=False, options=[])
        if refused:
            raise RuntimeError(refused)
        return abs(seconds / (minutes * 60) - 1)


def run(words: list[str], environment: dict[str, str] | None = None) -> None:
    """Run `corolla` in a separate process; RuntimeError with the end of its output if it fails."""
    command = [sys.executable, "-m", "corolla", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"corolla {' '.join(words)} failed: {done.stderr.strip()[-500:]}")


def help_times(scene: Scene) -> float:
    """CPU seconds of `corolla --help` divided by those of importing the libraries that print it.

    Both are the fastest of `HELPS` processes, in turns: other work only slows a process down, and a slow machine slows
    both.
    """

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)  # in microseconds; `os.times` counts in hundredths
        return children.ru_utime + children.ru_stime

    def once(words: list[str]) -> float:
        before = spent()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        return spent() - before

    pairs = [(once(["-m", "corolla", "--help"]), once(["-c", LIBRARIES])) for _ in range(HELPS)]
    ours, theirs = (min(seconds) for seconds in zip(*pairs, strict=True))
    return ours / theirs


def cold_start(scene: Scene) -> float:
    """Speedup over timm for one image: whole processes with ViT-S/16, in turns."""
    photo = scene.folder / "photo.jpg"
    paint("rose", 1, 500).save(photo, quality=92)
    hall = Hall(Path(sys.executable), scene.folder / "logs")
    commands = hall.starts(("corolla", "timm"), scene.folder, str(photo))
    return statistics.median(wall_seconds(commands["timm"]) / wall_seconds(commands["corolla"]) for _ in range(STARTS))


def training_speed(scene: Scene) -> float:
    """Training speedup over timm: the median of all rounds of all pairs of processes."""
    hall = Hall(Path(sys.executable), scene.folder / "logs")
    ratios = []
    for _ in range(PAIRS):
        with hall.called(("corolla", "timm")) as contenders:
            for number in range(ROUNDS):
                turns = ("corolla", "timm") if number % 2 else ("timm", "corolla")
                answers = {name: contenders[name].ask("train", model="tiny", seconds=5, steps=3) for name in turns}
                ratios.append(answers["corolla"]["images_per_second"] / answers["timm"]["images_per_second"])
    return statistics.median(ratios)


MEASURES: dict[str, Callable[[Scene], float]] = {
    "demo_minutes": lambda scene: scene.demo[0],
    "demo_accuracy": lambda scene: scene.demo[1],
    "dial_two_classes": lambda scene: scene.dial("two classes"),
    "dial_small_images": lambda scene: scene.dial("small images"),
    "epoch_overhead_64": lambda scene: scene.epochs(64).overhead,
    "epoch_overhead_96": lambda scene: scene.epochs(96).overhead,
    "epoch_overhead_160": lambda scene: scene.epochs(160).overhead,
    "help_times": help_times,
    "cold_start": cold_start,
    "training_speed": training_speed,
}
