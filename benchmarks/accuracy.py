"""The accuracy of a recipe: one training per seed, each evaluated once on the test split at its end.

    python benchmarks/accuracy.py splits.csv --out runs/scratch --minutes 30
    python benchmarks/accuracy.py splits.csv --out runs/distill --minutes 45 --teacher efficientnet-lite0
    python benchmarks/accuracy.py splits.csv --out runs/tuned --weights NAME_OR_PATH

Add --model vit_tiny_patch16_160 for the paper's plain ViT-Ti/16 under the same recipe, or --per-class 20 for training
on 20 images of each class and validation on 5, drawn by the seed. With a teacher, a second table has the teacher's own
figures. The runs stay in the folder --out, a finished run is not trained again, and the tables go to standard output
as Markdown.
"""

import argparse
import csv
import json
import random
import statistics
from pathlib import Path
from typing import Any

import corolla
from corolla.data.sources import load_data
from corolla.progress import progress_for
from corolla.run import Run


def few_images(data: str, per_class: int, seed: int, table: Path) -> Path:
    """Write a table: `per_class` training images of each class, a quarter as many for validation, all test images."""
    manifest, dice = load_data(data, seed=seed), random.Random(seed)
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for split, most in (("train", per_class), ("val", per_class // 4), ("test", None)):
            for name in manifest.classes:
                ours = [example for example in manifest.split(split) if example.label == name]
                for example in ours if most is None else dice.sample(ours, min(most, len(ours))):
                    writer.writerow((manifest.locate(example).resolve(), name, split))
    return table


def measure(arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train or resume one seed and return its figures."""
    run, data = Run(Path(arguments.out) / f"seed{seed}"), arguments.data
    finished = run.config_file.is_file() and run.load_config().training.get("finished")
    if not finished:
        names = ("recipe", "model", "image_size", "epochs", "weights", "teacher")
        changes = {name: getattr(arguments, name) for name in names}
        if arguments.per_class:
            data = few_images(data, arguments.per_class, seed, Path(arguments.out) / f"images{seed}.csv")
        with progress_for() as progress:
            corolla.train(data, run.folder, minutes=arguments.minutes, seed=seed, progress=progress, **changes)
    config, evaluation = run.load_config(), corolla.evaluate(run.folder)
    return {
        "seed": seed,
        "model": config.model,
        "image_size": config.recipe["image_size"],
        "epochs": config.training["epochs"],
        "minutes": config.training["minutes"],
        "val": config.training["best_val_accuracy"],
        "test": evaluation.accuracy,
        "interval": evaluation.interval,
        "hardware": config.training["hardware"],
        "precision": config.training["precision"],
        "teacher": config.training.get("teacher"),
    }


def main() -> None:
    """Print one row per seed, then mean and range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", required=True)
    parser.add_argument("--per-class", type=int, help="training images of each class (default: all)")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--recipe")
    parser.add_argument("--weights")
    parser.add_argument("--teacher")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model")
    parser.add_argument("--image-size", type=int)
    rows = [measure(arguments, seed) for arguments in [parser.parse_args()] for seed in arguments.seeds]
    print("| seed | model | px | epochs | minutes | validation | test | 95 % interval |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        low, high = row["interval"]
        print(
            f"| {row['seed']} | {row['model']} | {row['image_size']} | {row['epochs']} | {row['minutes']:.1f} "
            f"| {row['val']:.1%} | {row['test']:.1%} | {low:.1%} to {high:.1%} |"
        )
    if taught := [row for row in rows if row["teacher"]]:
        print("\n| seed | teacher | minutes | frozen, validation | frozen, test | fitted, validation | fitted, test |")
        print("|---|---|---|---|---|---|---|")
        columns = ("probe_val_accuracy", "probe_test_accuracy", "val_accuracy", "test_accuracy")
        for row in taught:
            facts = row["teacher"]
            figures = " | ".join(f"{facts[name]:.1%}" if name in facts else "" for name in columns)
            print(f"| {row['seed']} | {facts['name']} | {facts['minutes']:.1f} | {figures} |")
    tests = [row["test"] for row in rows]
    print(f"\nmean {statistics.mean(tests):.1%}, {min(tests):.1%} to {max(tests):.1%} over {len(tests)} seeds")
    print(f"hardware: {rows[0]['hardware']}; mixed precision: {rows[0]['precision']}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
