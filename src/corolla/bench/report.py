"""Run all measurements of this machine, and collect them in a report."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from corolla import __version__
from corolla.bench import BATCHES, MODELS
from corolla.bench.cases import Case, cases_of
from corolla.bench.ceiling import PRECISIONS, Ceiling, Shape, find_ceiling, shapes_to_try
from corolla.bench.epochs import EVERY, FEWEST, EpochCost, measure_epochs
from corolla.bench.epochs import SIZES as EPOCH_SIZES
from corolla.bench.images import ImageSpeed, decode_rate, gather, how_many, view_rates
from corolla.bench.memory import apart
from corolla.bench.models import Speed, measure_prediction, measure_training, speed
from corolla.data.manifest import Manifest
from corolla.precision import name_of
from corolla.progress import Progress
from corolla.training.runtime import Runtime, choose_device, hardware, usual_workers

SECONDS = 3.0
BUSY = 0.25  # load per processor


@dataclass(frozen=True)
class Report:
    """The measurements of one machine."""

    hardware: str
    device: str
    threads: int
    mixed_precision: str  # of a training on this machine
    reason: str  # for that precision
    ceilings: dict[str, Ceiling]  # by precision
    speeds: tuple[Speed, ...]
    images: ImageSpeed
    epochs: tuple[EpochCost, ...]
    load: float | None  # load average of the last minute before the measurements; None on Windows
    seconds: float  # of all measurements

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "corolla": __version__,
            "torch": torch.__version__,
            "hardware": self.hardware,
            "device": self.device,
            "threads": self.threads,
            "mixed_precision": self.mixed_precision,
            "reason": self.reason,
            "ceilings": {name: ceiling.to_json() for name, ceiling in self.ceilings.items()},
            "models": [row.to_json() for row in self.speeds],
            "images": self.images.to_json(),
            "epochs": [cost.to_json() for cost in self.epochs],
            "load": self.load,
            "seconds": self.seconds,
        }


def bench(
    models: Sequence[str] = MODELS,
    *,
    sizes: Sequence[int] = (),
    batches: Sequence[int] = BATCHES,
    images: str | None = None,
    seconds: float = SECONDS,
    epoch_sizes: Sequence[int] = EPOCH_SIZES,
    device: str | None = None,
    threads: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure this machine: matrix multiplications, prediction and training of `models`, reading of images.

    `sizes` (pixels) replace the size in a model's name; each measurement takes about `seconds`, with at least three
    calls. `epoch_sizes` (pixels) are the image sizes of the trainings with whole epochs. `images` is data as for
    `train`; without it images are painted. Nothing is left behind.

    Raises `CorollaError` for an unknown model or data, before anything is measured.
    """
    begun = time.monotonic()
    progress = progress or Progress()
    cases = cases_of(models, sizes, batches)
    shapes = shapes_to_try([case.config for case in cases], max(batches))
    machine = Runtime(device or choose_device(), usual_workers() if workers is None else workers)
    load = load_before(progress)
    plan = Plan(progress, len(PRECISIONS) + 2 * len(cases) + 3 + len(epoch_sizes))
    with TemporaryDirectory(prefix="corolla-") as folder, threads_set(threads) as used:
        manifest = gather(images, Path(folder), how_many(seconds), progress)
        ceilings = measure_ceilings(shapes, machine.device, seconds, plan)
        speeds = measure_models(cases, machine.device, used, seconds, ceilings, plan)
        largest = max(cases, key=lambda case: case.size)
        read = measure_images(images or "painted", manifest, largest, machine, used, seconds, plan)
        epochs, fewest = [], round(FEWEST * min(max(seconds / SECONDS, 2 * EVERY / FEWEST), 1))
        for size in epoch_sizes:
            plan.next(f"epochs at {size} px")
            epochs.append(measure_epochs(manifest, size, machine, seconds, fewest))
        what = hardware(torch.device(machine.device))
    plan.next("done")
    mixed, reason = machine.precision.mixed, machine.precision.reason
    return Report(
        what, machine.device, used, mixed, reason, ceilings, speeds, read, tuple(epochs), load, time.monotonic() - begun
    )


def load_before(progress: Progress) -> float | None:
    """The load of this machine, with a note if other programs make the measurements too slow."""
    if not hasattr(os, "getloadavg"):
        return None
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > BUSY * processors:
        progress.note(f"other programs are using this machine (load {load:.1f}), so the measured speeds will be low")
    return load


class Plan:
    """Shows the current measurement."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def next(self, what: str) -> None:
        """Show that the measurement of `what` starts."""
        self.progress.stage("measuring", self.done, self.total, what)
        self.done += 1


def measure_ceilings(shapes: list[Shape], device: str, seconds: float, plan: Plan) -> dict[str, Ceiling]:
    """The ceilings by precision."""
    found = {}
    for precision in PRECISIONS:
        name = name_of(precision)
        plan.next(f"matmuls in {name}")
        found[name] = find_ceiling(precision, shapes, device, seconds)
    return found


def measure_models(
    cases: list[Case], device: str, threads: int, seconds: float, ceilings: dict[str, Ceiling], plan: Plan
) -> tuple[Speed, ...]:
    """Prediction in this process and training in its own process, case by case."""
    speeds = []
    for case in cases:
        plan.next(f"{case.model}, prediction of {case.batch}")
        speeds.append(speed(case, measure_prediction(case, device, seconds), ceilings))
        plan.next(f"{case.model}, training on {case.batch}")
        if device.startswith("cuda"):  # the other process needs the memory that this one has cached
            torch.cuda.empty_cache()
        speeds.append(speed(case, apart(measure_training, case, device, threads, seconds), ceilings))
    return tuple(speeds)


def measure_images(
    source: str, manifest: Manifest, case: Case, machine: Runtime, threads: int, seconds: float, plan: Plan
) -> ImageSpeed:
    """Decoding and views for a model with `case`'s image size."""
    paths = [manifest.locate(example) for example in manifest.examples]
    plan.next("decoding")
    decoded = decode_rate(paths, None, threads, seconds)
    plan.next("decoding for training")
    drafted = decode_rate(paths, case.size, threads, seconds)
    plan.next("views")
    first, later = view_rates(manifest, case.size, case.config.patch_size, machine, seconds)
    return ImageSpeed(source, len(paths), case.size, threads, machine.workers, decoded, drafted, first, later)


@contextmanager
def threads_set(threads: int | None) -> Iterator[int]:
    """A context with this number of threads, or PyTorch's own; yields the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
