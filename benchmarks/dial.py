"""Whether `--minutes` holds: the wall time of whole `corolla train` commands, compared with the time budget.

    python benchmarks/dial.py splits.csv --out runs/dial
    python benchmarks/dial.py splits.csv --out runs/busy --busy

Five data sets: 202 images of two classes, 1,020 of 102 with as many for validation, 10,000 of 32 px, the photographs of
`splits.csv`, and six images. All except the photographs are gratings with noise, because only time is measured.
With `--busy`, another process occupies a core from the middle of each command's minutes to its end. `--sets` selects
data sets, `--minutes` sets one budget for all of them. Prints a Markdown table. Exit status 1 if a command differs from
its budget by more than `--tolerance`, by default 5 %, and 15 % with `--busy`.
"""

import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from corolla.training.runtime import processor

MINUTES = {"two classes": 1.0, "102 classes": 3.0, "small images": 2.0, "photographs": 3.0, "six images": 1.0}


@dataclass(frozen=True)
class Made:
    """A data set of gratings: training and validation images of each class, and a fifth as many for test."""

    classes: int
    train: int
    val: int
    side: int  # pixels


SETS = {
    "two classes": Made(2, 71, 15, 256),
    "102 classes": Made(102, 10, 10, 256),
    "small images": Made(10, 700, 150, 32),
    "six images": Made(2, 1, 1, 256),
}


def grating(number: int, of: int, side: int, rng: np.random.Generator) -> Image.Image:
    """An image of class `number`: stripes with the direction, width and color of the class, random phase and noise."""
    y, x = np.mgrid[0:side, 0:side] / side
    angle, waves = np.pi * number / of, 3 + number % 5
    wave = np.sin(2 * np.pi * (waves * (x * np.cos(angle) + y * np.sin(angle)) + rng.random()))
    color = 0.5 + 0.5 * np.cos(2 * np.pi * (number / of + np.array([0, 1 / 3, 2 / 3])))
    pixels = 128 + 60 * wave[..., None] * color + rng.normal(0, 30, (side, side, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def make(made: Made, folder: Path) -> Path:
    """Write the data set and its table; an existing one is reused."""
    table, rng = folder / "splits.csv", np.random.default_rng(0)
    if table.is_file():
        return table
    rows = []
    for split, count in (("train", made.train), ("val", made.val), ("test", max(made.val // 5, 1))):
        for number in range(made.classes):
            for index in range(count):
                path = folder / f"class{number}" / f"{split}{index}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                grating(number, made.classes, made.side, rng).save(path, quality=92)
                rows.append((path.relative_to(folder).as_posix(), f"class{number}", split))
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return table


def compute() -> None:
    """Occupy a core until this process is killed."""
    while True:
        pass


def train(data: Path, run: Path, minutes: float, busy: bool, options: list[str]) -> tuple[float, str]:
    """Wall seconds of the whole command, and its last line if it failed."""
    started = time.monotonic()
    command = [sys.executable, "-m", "corolla", "train", str(data), "--out", str(run), "--minutes", f"{minutes:g}"]
    other = multiprocessing.get_context("spawn").Process(target=compute, daemon=True)
    half_way = threading.Timer(minutes * 30, other.start)
    if busy:
        half_way.start()
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    half_way.cancel()
    half_way.join() if busy else None
    if other.pid is not None:
        other.kill()
        other.join()
    (run.parent / f"{run.name}.log").write_text(done.stderr, encoding="utf-8")
    return time.monotonic() - started, done.stderr.strip().splitlines()[-1] if done.returncode else ""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the photographs' splits.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--sets", nargs="*", choices=MINUTES, default=list(MINUTES))
    parser.add_argument("--minutes", type=float, help="for every data set, instead of its own")
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of corolla train; must come last")
    arguments = parser.parse_args()
    tolerance = arguments.tolerance or (0.15 if arguments.busy else 0.05)
    print(f"{os.cpu_count()} cores of {processor()}{', one occupied from half-time' if arguments.busy else ''}\n")
    print("| data set | minutes | taken | difference | model | epochs planned | trained | test |\n" + "|---" * 8 + "|")
    missed = False
    for name in arguments.sets:
        minutes = arguments.minutes or MINUTES[name]
        data = Path(arguments.data) if name == "photographs" else make(SETS[name], arguments.out / name)
        run = arguments.out / f"{name} {minutes:g}"
        seconds, refused = train(data, run, minutes, arguments.busy, arguments.options)
        off = seconds / (minutes * 60) - 1
        missed |= not refused and abs(off) > tolerance
        row = [name, f"{minutes:g}", f"{seconds / 60:.2f}", f"{off:+.1%}"]
        if refused:
            row += [refused, "", "", ""]
        else:
            config = json.loads((run / "config.json").read_text(encoding="utf-8"))
            accuracy = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["accuracy"]
            recipe, training = config["recipe"], config["training"]
            row += [config["model"], f"{recipe['epochs'] - 1 + recipe['last_epoch']:.1f}", str(training["epochs"])]
            row.append(f"{accuracy:.1%}")
        print(f"| {' | '.join(row)} |", flush=True)
    raise SystemExit(int(missed))


if __name__ == "__main__":
    main()
