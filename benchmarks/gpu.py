"""What a training on a GPU spends its time on, and whether it keeps the time budget.

    python benchmarks/gpu.py splits.csv --out runs/gpu

Trains the scratch recipe's model for a few epochs at 64, 96 and 160 px, and with budgets of one and three minutes,
each in a separate process, and prints Markdown tables: images per second over whole epochs, the fraction of an epoch
outside training steps, the time of a validation, and the minutes requested and taken by the whole command.
`--source FOLDER` also measures the `src` of another checkout, in turns. Without a GPU nothing is measured,
except with `--device cpu`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZES = (64, 96, 160)
MINUTES = (1.0, 3.0)


def train(data: str, run: Path, source: str, *options: str) -> float:
    """Run `corolla train` with the code in `source` and return the wall seconds of the whole process."""
    started = time.monotonic()
    command = [sys.executable, "-m", "corolla", "train", data, "--out", str(run), *options]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": source}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    print(done.stderr[-1500:], file=sys.stderr, flush=True)
    return time.monotonic() - started


def rows_of(run: Path) -> list[dict[str, Any]]:
    """The run's epochs, without the first, which starts workers and may compile."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()][1:]


def overheads(data: str, out: Path, sources: dict[str, str], device: str, epochs: int) -> list[list[str]]:
    """A row for each size and source."""
    table = []
    for size in SIZES:
        for name, source in sources.items():
            run = out / f"{name}-{size}"
            options = ("--epochs", str(epochs), "--model", f"vit_micro_conv16_{size}", "--progressive-resizing", "0:1")
            whole = train(data, run, source, *options, "--device", device)
            rows = rows_of(run)
            seconds = [row["seconds"] for row in rows]
            steps = [row["step_seconds"] / row["seconds"] for row in rows if "step_seconds" in row]
            validations = [row["validation_seconds"] for row in rows if "validation_seconds" in row]
            table.append([
                name, str(size), f"{statistics.median(row['images_per_second'] for row in rows):,.0f}",
                f"{statistics.median(seconds):.2f}",
                f"{1 - statistics.mean(steps):.1%}" if steps else "",
                f"{statistics.median(validations):.2f}" if validations else "", f"{whole:.1f}",
            ])  # fmt: skip
    return table


def dial(data: str, out: Path, source: str, device: str, minutes: tuple[float, ...]) -> list[list[str]]:
    """A row for each number of minutes."""
    table = []
    for asked in minutes:
        run = out / f"dial-{asked:g}"
        took = train(data, run, source, "--minutes", f"{asked:g}", "--device", device) / 60
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        accuracy = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["accuracy"]
        epochs = str(config["training"]["epochs"])
        table.append(
            [f"{asked:g}", f"{took:.2f}", f"{took / asked - 1:+.1%}", config["model"], epochs, f"{accuracy:.1%}"]
        )
    return table


def show(columns: str, table: list[list[str]]) -> None:
    """A Markdown table on standard output."""
    heads = columns.split(", ")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in table:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", help="the src folder of another checkout, measured in turns with this one")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--minutes", type=float, nargs="*", default=MINUTES)
    arguments = parser.parse_args()
    here = str(Path(__file__).resolve().parents[1] / "src")

    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("there is no GPU on this machine; --device cpu runs the same measurements on the CPU")
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else arguments.device
    print(f"torch {torch.__version__} on {name}, {os.cpu_count()} processor cores\n", flush=True)
    sources = ({"before": arguments.source} if arguments.source else {}) | {"now": here}
    table = overheads(arguments.data, arguments.out, sources, arguments.device, arguments.epochs)
    show("code, px, images/s, s per epoch, outside steps, s per validation, s in total", table)
    show(
        "minutes requested, minutes taken, difference, model, epochs, test",
        dial(arguments.data, arguments.out, here, arguments.device, arguments.minutes),
    )


if __name__ == "__main__":
    main()
