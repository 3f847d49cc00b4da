"""How many images per second a model predicts and trains on, and which fraction of the ceiling that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from corolla.bench.cases import Case
from corolla.bench.ceiling import Ceiling
from corolla.bench.memory import peak_memory
from corolla.bench.timing import Timing, settler, timed
from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.models.summary import model_summary
from corolla.models.vit import ViT
from corolla.painted import KINDS, paint_dataset
from corolla.precision import name_of
from corolla.preprocessing import Preprocessing
from corolla.progress import Progress
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

Task = Literal["prediction", "training"]

# The backward pass has two matmuls for each one of the forward pass: the gradients of its inputs and of its weights.
PASSES: dict[Task, int] = {"prediction": 1, "training": 3}
SLOW = 1e-6  # a learning rate that hardly changes the model, however many steps are timed


@dataclass(frozen=True)
class Measured:
    """The measurement of one task: its timing, the precision of its matmuls, and its peak memory in bytes, if known."""

    task: Task
    timing: Timing
    precision: str
    memory: int | None = None


@dataclass(frozen=True)
class Speed:
    """One row of the report."""

    case: Case
    measured: Measured
    operations: int  # per image
    ceiling: float  # operations per second, in the task's precision

    @property
    def images_per_second(self) -> float:
        """Images per second, by the median."""
        return self.case.batch / self.measured.timing.median

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.images_per_second * self.operations

    @property
    def share(self) -> float:
        """The fraction of the ceiling."""
        return self.rate / self.ceiling

    def to_json(self) -> dict[str, Any]:
        """As plain values; the median in seconds per batch, memory in bytes."""
        return {
            "model": self.case.model,
            "size": self.case.size,
            "batch": self.case.batch,
            "task": self.measured.task,
            "precision": self.measured.precision,
            "images_per_second": self.images_per_second,
            "seconds_per_batch": self.measured.timing.median,
            "repeats": self.measured.timing.repeats,
            "operations_per_image": self.operations,
            "gflops": self.rate / 1e9,
            "share_of_ceiling": self.share,
            "peak_memory": self.measured.memory,
        }


def speed(case: Case, measured: Measured, ceilings: Mapping[str, Ceiling]) -> Speed:
    """A task's speed with the ceiling of its precision."""
    operations = 2 * model_summary(case.config)[0].macs * PASSES[measured.task]
    return Speed(case, measured, operations, ceilings[measured.precision].rate)


def measure_prediction(case: Case, device: str, seconds: float) -> Measured:
    """From pixels to probabilities with the `Classifier` of `predict`, once per image (no horizontal flip)."""
    config = case.config
    classifier = Classifier(ViT(config), Preprocessing(config.image_size), KINDS, flip=False, device=device)
    images = case.pixels().permute(0, 2, 3, 1).contiguous().numpy()
    timing = timed(lambda: classifier.raw_outputs(images), seconds, settle=settler(device))
    return Measured("prediction", timing, name_of(classifier.precision.dtype))


def measure_training(case: Case, device: str, threads: int, seconds: float) -> Measured:
    """The whole step of `corolla train` by the scratch recipe: forward, backward, clipping, optimizers, average.

    Call it in its own process, because it reports the peak memory of the whole process.
    """
    torch.set_num_threads(threads)
    recipe = RECIPE.changed(
        model=case.model,
        image_size=case.size,
        batch_size=case.batch,
        progressive_resizing=((0.0, 1.0),),
        learning_rate=SLOW,
    )
    with TemporaryDirectory(prefix="corolla-") as folder:
        trainer = Trainer(one_a_class(Path(folder)), recipe, seed=0, machine=Runtime(device, 0), progress=Progress())
        pixels, labels = case.pixels(), torch.arange(case.batch) % len(KINDS)
        trainer.model.train()
        timing = timed(lambda: trainer.step(pixels, labels, 0, 0), seconds, settle=settler(device))
    return Measured("training", timing, name_of(trainer.precision.dtype), peak_memory(device))


def one_a_class(folder: Path) -> Manifest:
    """The smallest data set that a trainer accepts; the measured steps train on noise."""
    paint_dataset(folder, len(KINDS), size=32)
    return Manifest(folder, tuple(Example(f"{kind}/painted-00000.jpg", kind, "train") for kind in KINDS))
