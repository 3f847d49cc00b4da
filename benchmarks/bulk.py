"""Rows per second and memory of `corolla predict --out` on each engine.

    python benchmarks/bulk.py DATA flowers flowers-int8.onnx --rounds 3

Every job runs the command in a separate process over all images of DATA, without earlier results. Engines and models
take turns, and a busy phase of the machine slows all of them; the table has median and range. Rows per second are those
that the command prints, from the first image to the last part, including the start of Ray. Memory is the peak PSS of
the process and all its children. The tables of both engines are compared with each other.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from contender import processor

ENGINES = ("local", "ray")
EVERY = 0.5  # seconds between memory samples


@dataclass(frozen=True)
class Job:
    """Speed, wall time and memory of one command."""

    rate: float  # rows per second
    seconds: float  # from start to end
    memory: float  # peak, in megabytes


def run(model: str, engine: str, data: str, out: Path) -> Job:
    """Run the command from start to end."""
    command = [
        sys.executable,
        "-m",
        "corolla",
        "predict",
        model,
        data,
        "--out",
        str(out),
        "--engine",
        engine,
        "--quiet",
    ]
    begun = time.perf_counter()
    process = subprocess.Popen([*command, "--quiet"], stdout=subprocess.PIPE, text=True, env=os.environ)
    most = 0.0
    while process.poll() is None:
        most = max(most, memory(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(EVERY)
    seconds = time.perf_counter() - begun
    assert process.stdout
    said = process.stdout.read()
    process.stdout.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    found = re.search(r"([\d,.]+) rows/s", said)
    assert found, said
    return Job(float(found[1].replace(",", "")), seconds, most)


def memory(pid: int) -> float:
    """Megabytes of a process and all its children; shared memory is counted once."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for each in (parent := psutil.Process(pid), *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                said = each.memory_full_info()
                total += getattr(said, "pss", said.uss)
    return total / 1e6


def spread(values: list[float], form: str) -> str:
    """The median and, in brackets, the range."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of images, or any other source that the command takes")
    parser.add_argument("models", nargs="+", help="runs and exported files")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    begun, load = time.perf_counter(), os.getloadavg()[0]
    jobs: dict[tuple[str, str], list[Job]] = defaultdict(list)
    rows, same = 0, True
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds):
            for model in arguments.models:
                tables = []
                for engine in ENGINES if turn % 2 == 0 else ENGINES[::-1]:
                    out = Path(folder) / f"{engine}.parquet"
                    out.unlink(missing_ok=True)
                    job = run(model, engine, arguments.data, out)
                    jobs[model, engine].append(job)
                    tables.append(pq.read_table(out))
                    print(f"{model}, {engine}: {job}", file=sys.stderr, flush=True)
                same, rows = same and tables[0].equals(tables[1]), len(tables[0])
    print("| model | engine | rows/s | seconds from start to end | memory |\n|---|---|--:|--:|--:|")
    for (model, engine), done in jobs.items():
        rates = spread([job.rate for job in done], ",.1f")
        seconds = spread([job.seconds for job in done], ",.0f")
        print(f"| {Path(model).name} | {engine} | {rates} | {seconds} | {max(job.memory for job in done):,.0f} MB |")
    print(
        f"\n{rows:,} rows, rounds: {arguments.rounds}, median and range; the tables of both engines are "
        f"{'bit-identical' if same else 'NOT identical'}. {processor()}, {os.cpu_count()} processors, "
        f"load before {load:.1f}, ray {version('ray')}; {(time.perf_counter() - begun) / 60:.0f} minutes"
    )


if __name__ == "__main__":
    main()
