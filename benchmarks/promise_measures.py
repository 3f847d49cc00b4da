"""How each promise is measured. A measure takes the scene, a folder to work in, and returns one figure in its unit."""

import json
import os
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
from corolla.bench.pictures import gather
from corolla.data.painted import paint
from corolla.progress import Progress
from corolla.training.machine import Machine, choose_device, usual_workers
from referee import Hall, wall_seconds

READY = 192  # painted images that the epochs are measured on
EPOCH_SECONDS = 3.0  # of each of them, at least
ROUNDS = 3  # of the speed beside a peer


@dataclass
class Scene:
    """Where measures work, and what several of them share."""

    folder: Path

    @cached_property
    def demo(self) -> tuple[float, float]:
        """Minutes of a whole demo on painted images, and its test accuracy in [0, 1]."""
        begun = time.monotonic()
        # A folder without photographs: the demo neither finds them nor asks for a download.
        nothing = self.folder / "no photographs"
        nothing.mkdir()
        environment = os.environ | {"COROLLA_DATA": str(nothing), "COROLLA_CACHE": str(self.folder / "cache")}
        run(["demo", "--out", str(self.folder / "demo")], environment)
        minutes = (time.monotonic() - begun) / 60
        evaluation = (self.folder / "demo" / "run" / "evaluation.json").read_text(encoding="utf-8")
        return minutes, float(json.loads(evaluation)["accuracy"])

    def epochs(self, size: int) -> EpochCost:
        """What epochs of ready images cost at `size` pixels."""
        images = self.folder / f"images {size}"
        images.mkdir()
        manifest = gather(None, images, READY, Progress())
        return measure_epochs(manifest, size, Machine(choose_device(), usual_workers()), EPOCH_SECONDS)

    def dial(self, name: str) -> float:
        """How far the minutes of a training were off those asked for, as a share of them."""
        minutes = dial.MINUTES[name]
        data = dial.make(dial.SETS[name], self.folder / name)
        seconds, refused = dial.train(data, self.folder / f"run {name}", minutes, busy=False, options=[])
        if refused:
            raise RuntimeError(refused)
        return abs(seconds / (minutes * 60) - 1)


def run(words: list[str], environment: dict[str, str] | None = None) -> None:
    """Run `corolla` in a process of its own; RuntimeError with its last words if it fails."""
    command = [sys.executable, "-m", "corolla", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"corolla {' '.join(words)} failed: {done.stderr.strip()[-500:]}")


def help_seconds(scene: Scene) -> float:
    """CPU seconds of `corolla --help`, the quickest of nine: other work only ever makes it slower."""

    def once() -> float:
        before = os.times()
        run(["--help"])
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return min(once() for _ in range(9))


def cold_start(scene: Scene) -> float:
    """Seconds of `corolla predict flowers PHOTO`, the median of five after one that fills the file cache."""
    photo = scene.folder / "photo.jpg"
    paint("rose", 1, 500).save(photo, quality=92)
    command = [sys.executable, "-m", "corolla", "predict", "flowers", str(photo)]
    wall_seconds(command)
    return statistics.median(wall_seconds(command) for _ in range(5))


def training_speed(scene: Scene) -> float:
    """How many times as fast as timm we train, the median of rounds in which both take their turn."""
    hall = Hall(Path(sys.executable), scene.folder / "logs")
    ratios = []
    with hall.called(("corolla", "timm")) as contenders:
        for number in range(ROUNDS):
            turns = ("corolla", "timm") if number % 2 else ("timm", "corolla")
            answers = {name: contenders[name].ask("train", model="tiny", seconds=8, steps=3) for name in turns}
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
    "help_seconds": help_seconds,
    "cold_start": cold_start,
    "training_speed": training_speed,
}
