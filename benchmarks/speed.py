"""The speed of corolla, timm, transformers, torchvision and a plain PyTorch loop, on the CPU of this machine.

    python benchmarks/speed.py
    python benchmarks/speed.py --images flower_photos
    python benchmarks/speed.py --measures train predict --repeats 7 --environment here

The contenders (`contenders/`) are separate processes that take turns, and a slow phase of the machine affects all of
them. Each has ViT-Ti/16 or ViT-S/16 with random weights, 224 px, 5 classes, and its library's documented defaults. The
peers run in their own virtual environment, made at the first call, or in this one with `--environment here`. A cell is
the median of the rounds; the number in brackets is the advantage of corolla. The last line has all figures as JSON.
Linux or macOS.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from referee import Answer, Hall, in_turns, peers_environment, wall_seconds
from speed_table import COLUMNS, Measured, header, row

MODELS = {"tiny": "ViT-Ti/16", "small": "ViT-S/16"}
ANSWERING = ("corolla", "timm", "transformers", "torchvision")
CLASSES, PAINTED_PIXELS, ASKED = 5, 500, 128
ENDINGS = (".jpg", ".jpeg")
MEASURES = ("train", "predict", "images", "cold", "memory")


class Speed:
    """The measurements by name; each yields lines of the table."""

    def __init__(self, hall: Hall, folder: Path, work: Path, repeats: int, seconds: float, workers: int) -> None:
        self.hall, self.folder, self.work = hall, folder, work
        self.repeats, self.seconds, self.workers = repeats, seconds, workers
        files = sorted(str(file) for file in folder.glob("*/*"))
        self.files = files[:: max(len(files) // ASKED, 1)][:ASKED]

    def rounds(self, names: Sequence[str], do: str, **request: object) -> dict[str, list[Answer]]:
        """Each contender's results, one per round, all rounds from the same process."""
        with self.hall.called(names) as contenders:
            return in_turns(names, self.repeats, lambda name: contenders[name].ask(do, **request))

    def train(self) -> Iterator[Measured]:
        """Training steps on tensors in memory."""
        for model, name in MODELS.items():
            answers = self.rounds(COLUMNS, "train", model=model, seconds=self.seconds, steps=3)
            yield Measured(f"training {name}, batches of 32, images/s", True, each(answers, "images_per_second"))

    def predict(self) -> Iterator[Measured]:
        """From JPEG files to class probabilities, in batches and one at a time."""
        for model, name in MODELS.items():
            for batch, asked in ((32, "batches of 32"), (1, "one at a time")):
                request = {"model": model, "seconds": self.seconds, "steps": 1, "batch": batch, "files": self.files}
                answers = self.rounds(ANSWERING, "predict", **request)
                yield Measured(f"prediction {name}, {asked}, images/s", True, each(answers, "images_per_second"))

    def images(self) -> Iterator[Measured]:
        """Augmented training images from the files, without a model."""
        for policy in ("none", "light", "trivial"):
            request = {"folder": str(self.folder), "policy": policy, "workers": self.workers}
            answers = self.rounds(("corolla", "torchvision"), "images", **request)
            for key, epoch in (("first", "first epoch"), ("later", "later epochs")):
                yield Measured(f"augmentation, policy {policy}, {epoch}, images/s", True, each(answers, key))

    def cold(self) -> Iterator[Measured]:
        """Whole processes that predict one image."""
        commands = self.hall.starts(("corolla", "transformers", "timm"), self.work, self.files[0])
        answers = in_turns(tuple(commands), self.repeats, lambda name: {"seconds": wall_seconds(commands[name])})
        yield Measured("cold start, ViT-S/16, one image, s", False, each(answers, "seconds"))

    def memory(self) -> Iterator[Measured]:
        """The peak memory of a separate process."""

        def peak(do: str, **request: object) -> dict[str, list[Answer]]:
            names = COLUMNS if do == "train" else ANSWERING
            return in_turns(
                names, self.repeats, lambda name: self.hall.asked_once(name, do, model="small", seconds=0, **request)
            )

        trained = peak("train", steps=4)
        yield Measured("peak memory, training ViT-S/16, batches of 32, MB", False, each(trained, "peak_memory"))
        asked = peak("predict", steps=1, batch=32, files=self.files)
        yield Measured("peak memory, prediction ViT-S/16, batches of 32, MB", False, each(asked, "peak_memory"))


def each(answers: dict[str, list[Answer]], key: str) -> dict[str, list[float]]:
    """One figure of every result."""
    return {name: [answer[key] for answer in given] for name, given in answers.items()}


def gathered(hall: Hall, source: Path | None, work: Path, count: int) -> Path:
    """A tree of `count` JPEG images, evenly from the first five classes of `source`, or painted once."""
    if source is None:
        folder = work / f"painted_{count}"
        if len(list(folder.glob("*/*"))) < count:
            hall.asked_once("corolla", "paint", folder=str(folder), count=count, size=PAINTED_PIXELS)
        return folder
    kinds = [kind for kind in sorted(source.iterdir()) if kind.is_dir() and not kind.name.startswith(".")][:CLASSES]
    if len(kinds) < CLASSES:
        raise SystemExit(f"{source} has {len(kinds)} class folders; speed.py needs {CLASSES}")
    folder = work / "images"
    shutil.rmtree(folder, ignore_errors=True)
    for kind in kinds:
        files = sorted(file for file in kind.iterdir() if file.suffix.lower() in ENDINGS)
        (folder / kind.name).mkdir(parents=True)
        for file in files[: count // CLASSES]:
            shutil.copyfile(file, folder / kind.name / file.name)
    return folder


def versions(hall: Hall) -> str:
    """Hardware and versions as text."""
    facts = [hall.asked_once(name, "about") for name in COLUMNS]
    named: dict[str, str] = {}
    for fact in facts:
        for package, version in fact["versions"].items():
            if named.setdefault(package, version) != version:
                named[package] += f" or {version}"
    if len({fact["threads"] for fact in facts}) > 1:
        raise SystemExit("the contenders do not have the same number of threads")
    packages = ", ".join(f"{package} {version}" for package, version in named.items())
    return f"{facts[0]['hardware']}; {packages}, Python {facts[0]['python']}"


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--repeats", type=int, default=5, help="rounds of every measurement")
    parser.add_argument("--seconds", type=float, default=8.0, help="minimum time of training or prediction in a round")
    parser.add_argument(
        "--images", type=Path, help="a tree of five class folders of JPEGs; by default images are painted"
    )
    parser.add_argument("--count", type=int, default=960, help="images per epoch")
    parser.add_argument("--work", type=Path, default=Path("runs/speed"), help="folder for the environment and the logs")
    parser.add_argument(
        "--environment", help="virtual environment of the peers (default: WORK/peers); `here` is this one"
    )
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    if arguments.environment == "here":
        peers = Path(sys.executable)
    else:
        peers = peers_environment(Path(arguments.environment or work / "peers"))
    hall = Hall(peers, work / "logs")
    folder = gathered(hall, arguments.images, work, arguments.count)
    workers = max(min((os.cpu_count() or 1) // 2, 8), 1)  # as `corolla train` chooses
    speed = Speed(hall, folder, work, arguments.repeats, arguments.seconds, workers)
    made = sum(1 for _ in folder.glob("*/*"))
    print(f"{versions(hall)}; {made} images; data loading processes: {workers}; rounds: {arguments.repeats}\n")
    print(header(), flush=True)
    samples = {}
    for measure in arguments.measures:
        print(measure, file=sys.stderr, flush=True)
        for measured in getattr(speed, measure)():
            print(row(measured), flush=True)
            samples[measured.what] = measured.samples
    print(f"\n{json.dumps(samples)}")


if __name__ == "__main__":
    main()
