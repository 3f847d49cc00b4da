"""How training scales on this machine, the cost of an image, and a plan for ImageNet-21k: docs/scaling.md.

    python benchmarks/scaling.py                      # a quarter of an hour on two idle cores
    python benchmarks/scaling.py --rate 2.5e14        # with the plan for a device of this many operations/s

Three parts. Whole training steps of the same batch with one process and with two, interleaved. Steps of several models
and image sizes, to which the two parameters of the cost model are fitted; each case is also predicted from the others
alone. The plan, which is computed from these measurements.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import several_processes
from corolla.bench.cases import Case
from corolla.bench.memory import apart, peak_memory
from corolla.bench.models import PASSES, measure_training, one_a_class
from corolla.models.names import vit_config
from corolla.models.summary import model_summary
from corolla.progress import Progress
from corolla.training.muon import ITERATIONS
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime, hardware
from corolla.training.trainer import Trainer
from several_processes import Way

SHARED, LARGE = ("vit_tiny_patch16_160", 32), ("vit_large_patch16_64", 8)  # model and total batch
STEPS, ROUNDS = 6, 3
CASES = [
    Case(f"vit_{size}_patch16_{pixels}", 32)
    for size in ("tiny", "small", "base")
    for pixels in (64, 128, 224)
    if (size, pixels) != ("base", 224)  # as long as all the others together
]
IMAGES, CLASSES, BYTES = 14_197_122, 21_841, 1.31e12  # ImageNet-21k as arXiv 2104.10972, section 2, counts it
PLANS = (("vit_small_patch16_224", 90), ("vit_base_patch16_224", 90), ("vit_large_patch16_224", 90))
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Steps:
    """Measurements of one process: median seconds per step, and peak memory in bytes."""

    seconds: float
    memory: int


def worker(model: str, batch: int, optimizer: str, fsdp: bool, threads: int, out: Path) -> None:
    """One process of a measured training; the main process writes the result."""
    torch.set_num_threads(threads)
    recipe = RECIPE.changed(
        model=model, image_size=vit_config(model, 2).image_size[0], batch_size=batch, progressive_resizing=((0.0,
        1.0),),
        learning_rate=1e-6, optimizer=optimizer, epochs=1,
    )  # fmt: skip
    with TemporaryDirectory(prefix="corolla-") as folder:
        machine = Runtime("cpu", 0, fsdp)
        manifest = one_a_class(Path(folder))
        repeated = manifest.with_examples(tuple(manifest.examples) * batch)  # enough for a batch
        trainer = Trainer(repeated, recipe, seed=0, machine=machine, progress=Progress())
        own = len(machine.processes.shard_range(batch))
        side = recipe.image_size
        pixels, labels = torch.zeros(own, 3, side, side, dtype=torch.uint8), torch.arange(own) % 5
        trainer.model.train()
        trainer.objective.place(own)
        times = []
        for number in range(STEPS + 1):
            machine.processes.barrier()
            begun = time.perf_counter()
            trainer.step(pixels, labels, 0, number)
            machine.processes.barrier()
            times.append(time.perf_counter() - begun)
        if machine.processes.main:
            said = {"seconds": statistics.median(times[1:]), "memory": peak_memory("cpu")}
            out.write_text(json.dumps(said), encoding="utf-8")


def measured(way: Way, model: str, batch: int, optimizer: str, threads: int, out: Path) -> Steps:
    """Run `worker` with the number of processes of `way`."""
    asked = [model, str(batch), optimizer, str(int(way.fsdp)), str(threads), str(out)]
    command = [sys.executable]
    if way.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
        command += [*launcher, "--nproc-per-node", str(way.processes)]
    process = several_processes.start([*command, str(Path(__file__).resolve()), "--worker", *asked])
    said = several_processes.output_of(process, 900)
    if process.returncode:
        raise RuntimeError(said)
    return Steps(**json.loads(out.read_text(encoding="utf-8")))


def processes_table(scratch: Path) -> Iterator[str]:
    """Images per second and memory of one and two processes, as lines of Markdown."""
    cores = os.cpu_count() or 1
    small = [
        ("1", Way("", 1), 1),
        ("1", Way("", 1), cores),
        ("2", Way("", 2), 1),
        ("2, --fsdp", Way("", 2, fsdp=True), 1),
    ]
    large = [small[1], small[2], small[3]]
    yield "| model, total batch, optimizer | processes | threads each | images/s (spread) | speedup | GB each |"
    yield "|---|---|---|---|---|---|"
    for (model, batch), ways, optimizer, rounds in ((SHARED, small, "muon", ROUNDS), (LARGE, large, "adamw", 1)):
        seen: dict[int, list[Steps]] = {place: [] for place in range(len(ways))}
        for _ in range(rounds):
            for place, (_, way, threads) in enumerate(ways):
                seen[place].append(measured(way, model, batch, optimizer, threads, scratch / "steps.json"))
        rates = {place: [batch / steps.seconds for steps in many] for place, many in seen.items()}
        alone = statistics.median(rates[0])
        for place, (name, _, threads) in enumerate(ways):
            rate = statistics.median(rates[place])
            spread = f" ({min(rates[place]):.3g} to {max(rates[place]):.3g})" if rounds > 1 else ""
            held = max(steps.memory for steps in seen[place]) / 1e9
            against = f"{rate / alone:.2f} x" if ways is small else ""
            told = f"{rate:.3g}{spread} | {against} | {held:.2f}"
            yield f"| {model}, {batch}, {optimizer} | {name} | {threads} | {told} |"


def operations(case: Case) -> tuple[float, float, float]:
    """For one step: operations of the model, of Muon's iteration (m x n matrices, m <= n), and parameters."""
    whole, shape = model_summary(case.config)[0], case.config
    width, hidden = shape.embed_dim, shape.mlp_dim
    muon = 0.0
    for rows, columns in ((3 * width, width), (width, width), (hidden, width), (width, hidden)):  # of each block
        m, n = min(rows, columns), max(rows, columns)
        muon += shape.depth * ITERATIONS * (4 * m * m * n + 2 * m**3)
    return 2 * whole.macs * PASSES["training"] * case.batch, muon, whole.parameters


def fit(rows: Sequence[tuple[float, float, float]], seconds: Sequence[float]) -> tuple[float, float]:
    """The two parameters of the cost model, seconds per operation and per parameter, by relative least squares."""
    from scipy.optimize import nnls

    design = np.array([[model + muon, parameters] for model, muon, parameters in rows])
    weight = 1 / np.array(seconds)
    solution, _ = nnls(design * weight[:, None], np.ones(len(seconds)))
    return float(solution[0]), float(solution[1])


def step_seconds(row: tuple[float, float, float], numbers: tuple[float, float]) -> float:
    """The time of a step by the cost model."""
    model, muon, parameters = row
    return numbers[0] * (model + muon) + numbers[1] * parameters


def cost_table(seconds_each: float) -> Iterator[Any]:
    """Lines of Markdown for each case, and at the end the two parameters of the cost model."""
    threads = torch.get_num_threads()
    rows = [operations(case) for case in CASES]
    seconds = [apart(measure_training, case, "cpu", threads, seconds_each).timing.median for case in CASES]
    numbers = fit(rows, seconds)
    yield "| model, batch of 32 | G operations per image | images/s | cost model | predicted from the others alone |"
    yield "|---|---|---|---|---|"
    for place, (case, row, took) in enumerate(zip(CASES, rows, seconds, strict=True)):
        without = fit(rows[:place] + rows[place + 1 :], seconds[:place] + seconds[place + 1 :])
        said, foretold = (case.batch / step_seconds(row, each) for each in (numbers, without))
        rate = case.batch / took
        yield (
            f"| {case.model} | {row[0] / case.batch / 1e9:.1f} | {rate:.1f} | {said:.1f} ({said / rate - 1:+.0%}) "
            f"| {foretold:.1f} ({foretold / rate - 1:+.0%}) |"
        )
    yield numbers


def plan_table(rates: Sequence[tuple[str, float]], batch: int = 4096) -> Iterator[str]:
    """The time of ImageNet-21k from scratch at the given operations per second, as lines of Markdown."""
    yield (
        "| model, epochs | operations | "
        + " | ".join(name for name, _ in rates)
        + " | gradients per step | total state |"
    )
    yield "|---|---|" + "---|" * len(rates) + "---|---|"
    for name, epochs in PLANS:
        case = Case(name, batch)
        model, muon, _ = operations(case)
        parameters = model_summary(vit_config(name, CLASSES))[0].parameters
        steps = epochs * IMAGES / batch
        total = steps * (model + muon)
        days = " | ".join(duration(total / rate) for _, rate in rates)
        # Weights, gradients, averaged weights and optimizer state (at most two numbers per parameter), 4 bytes each.
        held = f"{4 * parameters / 1e9:.2f} GB | {20 * parameters / 1e9:.1f} GB"
        yield f"| {name}, {epochs} | {total:.1e} | {days} | {held} |"


def duration(seconds: float) -> str:
    """A duration in days or years."""
    return f"{seconds / DAY / 365:,.0f} years" if seconds > 3 * 365 * DAY else f"{seconds / DAY:,.1f} days"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, action="append", default=[], help="operations per second, for the plan")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each case of the cost model")
    parser.add_argument("--worker", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        model, batch, optimizer, fsdp, threads, out = given.worker
        worker(model, int(batch), optimizer, bool(int(fsdp)), int(threads), Path(out))
        return
    busy = os.getloadavg()[0]
    print(f"{hardware(torch.device('cpu'))}; torch {torch.__version__}; load before {busy:.2f}\n")
    with TemporaryDirectory(prefix="corolla-") as scratch:
        for line in processes_table(Path(scratch)):
            print(line, flush=True)
    print()
    numbers = (0.0, 0.0)
    for line in cost_table(given.seconds):
        if isinstance(line, tuple):
            numbers = line
        else:
            print(line, flush=True)
    here = 1 / numbers[0]
    print(f"\n{here / 1e9:.0f} G operations/s, and {numbers[1] * 1e9:.2f} ns per parameter and step\n")
    rates = [(f"here, {here:.1e} per second", here), *((f"at {rate:.1e} per second", rate) for rate in given.rate)]
    for line in plan_table(rates):
        print(line)
    print(f"\nAn image takes {BYTES / IMAGES / 1e3:.0f} kB, and all of them {BYTES / 1e12:.2f} TB.")


if __name__ == "__main__":
    main()
