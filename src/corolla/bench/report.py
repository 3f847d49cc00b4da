"""Everything that is measured on this machine, one thing after another, and the report of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from corolla import __version__
from corolla.bench.ceiling import PRECISIONS, Ceiling, find_ceiling, shapes_to_try
from corolla.bench.memory import apart
from corolla.bench.models import Case, Speed, measure_prediction, measure_training, speed
from corolla.bench.pictures import PictureSpeed, decode_rate, gather, how_many, view_rates
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.sizes import vit_config
from corolla.training.machine import Machine, choose_device, hardware, usual_workers

MODELS = ("vit_tiny_patch16_224", "vit_small_patch16_224")
BATCHES = (1, 32)
SECONDS = 3.0


@dataclass(frozen=True)
class Report:
    """One machine's figures."""

    hardware: str
    device: str
    threads: int
    mixed_precision: str  # what a training here uses, and why
    reason: str
    ceilings: dict[str, Ceiling]  # by precision
    speeds: tuple[Speed, ...]
    pictures: PictureSpeed
    seconds: float  # that all of it took

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
            "pictures": self.pictures.to_json(),
            "seconds": self.seconds,
        }


def bench(
    models: Sequence[str] = MODELS,
    *,
    sizes: Sequence[int] = (),
    batches: Sequence[int] = BATCHES,
    pictures: str | None = None,
    seconds: float = SECONDS,
    device: str | None = None,
    threads: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure this machine: matrix products, prediction and training of `models`, reading of pictures.

    `sizes` (pixels) take the place of the size in a model's name; each figure gets about `seconds`, and at least three
    calls. `pictures` is data as `train` takes it; without it pictures are painted. Nothing is left behind.

    Raises `CorollaError` for a model or data that there is not, before anything is measured.
    """
    begun = time.monotonic()
    progress = progress or Progress()
    cases = [Case(name, batch) for name in at_sizes(models, sizes) for batch in batches]
    configs = [case.config for case in cases]
    largest = max(cases, key=lambda case: case.size)
    machine = Machine(device or choose_device(), usual_workers() if workers is None else workers)
    plan = Plan(progress, len(PRECISIONS) + 2 * len(cases) + 3)
    with TemporaryDirectory(prefix="corolla-") as folder, threads_set(threads) as used:
        manifest = gather(pictures, Path(folder), how_many(seconds), progress)
        shapes = shapes_to_try(configs, max(batches))
        ceilings: dict[str, Ceiling] = {}
        for precision in PRECISIONS:
            plan.next(f"products in {str(precision).removeprefix('torch.')}")
            found = find_ceiling(precision, shapes, machine.device, seconds)
            ceilings[found.precision] = found
        speeds = []
        for case in cases:
            plan.next(f"{case.model}, prediction of {case.batch}")
            speeds.append(speed(case, measure_prediction(case, machine.device, seconds), ceilings))
            plan.next(f"{case.model}, training on {case.batch}")
            measured = apart(measure_training, case, machine.device, used, seconds)
            speeds.append(speed(case, measured, ceilings))
        paths = [manifest.locate(example) for example in manifest.examples]
        plan.next("decoding")
        decoded = decode_rate(paths, None, used, seconds)
        plan.next("decoding for training")
        drafted = decode_rate(paths, largest.size, used, seconds)
        plan.next("views")
        first, later = view_rates(manifest, largest.size, largest.config.patch_size, machine, seconds)
        plan.next("done")
        read = PictureSpeed(
            pictures or "painted", len(paths), largest.size, used, machine.workers, decoded, drafted, first, later
        )
        what, precision_used = hardware(torch.device(machine.device)), machine.precision
    return Report(
        what, machine.device, used, precision_used.mixed, precision_used.reason,
        ceilings, tuple(speeds), read, time.monotonic() - begun,
    )  # fmt: skip


def at_sizes(models: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """The models' names, each with every one of `sizes` in place of its own, if there are any."""
    if not models:
        raise CorollaError("there is no model to measure; name one, such as vit_tiny_patch16_224")
    for name in models:
        vit_config(name, 1)  # the error for a name that is wrong tells the name as it was given
    return [f"{name.rpartition('_')[0]}_{size}" for name in models for size in sizes] if sizes else list(models)


class Plan:
    """Shows which of the figures is being measured."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def next(self, what: str) -> None:
        """The figure before is measured, and `what` comes now."""
        self.progress.stage("measuring", self.done, self.total, what)
        self.done += 1


@contextmanager
def threads_set(threads: int | None) -> Iterator[int]:
    """Compute in so many threads, or as many as PyTorch chose, and give their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
