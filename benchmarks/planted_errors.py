"""How many wrong labels `corolla audit` finds: errors are planted and compared with the most suspicious labels.

    python benchmarks/planted_errors.py splits.csv --weights flowers --weights efficientnet-lite0
    python benchmarks/planted_errors.py painted --weights flowers

For each seed, a random fraction of all labels is changed to another class, and the audit runs on a table with these
labels. "At the planted count" takes as many of the most suspicious labels as errors were planted, which makes precision
and recall equal. "Reported" is the list that the audit itself calls likely wrong. Labels that were wrong before lower
both. The bundled `flowers` was trained on the training images of flower_photos with their correct labels; errors in the
other splits therefore have a row of their own.
"""

import argparse
import csv
import random
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from corolla.audit.labels import LabelCheck
from corolla.audit.run_audit import audit
from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.progress import Progress, progress_for
from corolla.training.runtime import hardware

PARTS = {"all": ("train", "val", "test"), "train": ("train",), "val and test": ("val", "test")}


@dataclass(frozen=True)
class Found:
    """How many of the errors planted in one part of the images were found."""

    planted: int
    first: int  # of them, among the `planted` most suspicious labels
    told: int  # labels reported as likely wrong
    right: int  # of the reported labels, those that were planted

    @property
    def recall(self) -> float:
        """At the planted count, where precision equals recall."""
        return self.first / self.planted

    @property
    def told_precision(self) -> float:
        """Of the reported list; 1 for an empty one."""
        return self.right / self.told if self.told else 1.0

    @property
    def told_recall(self) -> float:
        """Of the reported list."""
        return self.right / self.planted


def plant(manifest: Manifest, share: float, seed: int) -> dict[str, str]:
    """Paths and wrong labels of a random `share` of all images; each label is another class at random."""
    dice = random.Random(seed)
    chosen = dice.sample(manifest.examples, round(share * len(manifest.examples)))
    return {e.path: dice.choice([name for name in manifest.classes if name != e.label]) for e in chosen}


def write_table(manifest: Manifest, wrong: dict[str, str], table: Path) -> None:
    """Write the images with their splits and groups, with the wrong labels where planted."""
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "group"))
        for example in manifest.examples:
            label = wrong.get(example.path, example.label)
            writer.writerow((manifest.locate(example).absolute(), label, example.split, example.group))


def measure(check: LabelCheck, planted: Collection[str], part: Collection[str]) -> Found:
    """What was found among the images of `part`; all three name images by their paths."""
    here = [check.paths[place] for place in check.ranking if check.paths[place] in part]
    there = set(planted) & set(part)
    told = [suspect.path for suspect in check.suspects if suspect.path in part]
    return Found(len(there), len(there & set(here[: len(there)])), len(told), len(there & set(told)))


def one_seed(
    manifest: Manifest, weights: str, share: float, seed: int, table: Path, progress: Progress
) -> dict[str, Found]:
    """Plant, audit, and measure in every part; the table is written to `table`."""
    wrong = plant(manifest, share, seed)
    names = {example.path: str(manifest.locate(example).absolute()) for example in manifest.examples}
    write_table(manifest, wrong, table)
    check = audit(table, weights, seed=seed, progress=progress).labels
    assert check is not None
    planted = {names[path] for path in wrong}
    parts = {
        part: {names[example.path] for example in manifest.examples if example.split in splits}
        for part, splits in PARTS.items()
    }
    return {part: measure(check, planted, paths) for part, paths in parts.items()}


def spread(values: Sequence[float]) -> str:
    """Mean and range in percent."""
    return f"{statistics.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def row(weights: str, part: str, found: Sequence[Found]) -> str:
    """One row of the table."""
    planted, told = (statistics.mean(getattr(each, name) for each in found) for name in ("planted", "told"))
    cells = [
        weights,
        part,
        f"{planted:.0f}",
        spread([each.recall for each in found]),
        f"{told:.0f}",
        spread([each.told_precision for each in found]),
        spread([each.told_recall for each in found]),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--weights", action="append", required=True)
    parser.add_argument("--share", type=float, default=0.05, help="fraction of the labels that is made wrong")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    print("| features of | images | planted | at the planted count | reported | precision | recall |")
    print("|---|---|---|---|---|---|---|")
    minutes = {}
    with TemporaryDirectory() as folder, progress_for() as progress:
        table = Path(folder) / "planted.csv"
        manifest = load_data(arguments.data, progress=progress.stage)
        for weights in arguments.weights:
            started = time.perf_counter()
            seeds = [one_seed(manifest, weights, arguments.share, seed, table, progress) for seed in arguments.seeds]
            minutes[weights] = (time.perf_counter() - started) / 60
            for part in PARTS:
                print(row(weights, part, [found[part] for found in seeds]), flush=True)
    took = ", ".join(f"{each:.1f} minutes with {weights}" for weights, each in minutes.items())
    print(f"\n{len(manifest.examples):,} images, seeds {arguments.seeds}: {took}")
    print(f"hardware: {hardware(torch.device('cpu'))}")


if __name__ == "__main__":
    main()
