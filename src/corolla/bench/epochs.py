"""The fraction of a training's time outside training steps, and the cost of a validation, with cached images.

It runs a whole training like `corolla train`. The first epoch does not count, because the cache is filled and the
workers start in it.
"""

import time
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corolla.bench.images import cache_of_its_own
from corolla.data.manifest import Manifest
from corolla.progress import Progress
from corolla.run import Run
from corolla.training.recipe import Recipe
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

SIZES = (64, 96, 160)  # pixels
EPOCHS = 3
VALIDATIONS = 2  # the second one, with cached images, is reported
BATCH = 32
FEWEST, MOST = 160, 10_240  # images of an epoch and its validation
EVERY = 5  # each fifth image is for validation


@dataclass(frozen=True)
class EpochCost:
    """The time of `epochs` epochs of `images` images, and of one validation of `validated` images."""

    size: int  # pixels
    images: int
    validated: int
    epochs: int
    seconds: float  # of the epochs, with all writing between them, but without validations
    step_seconds: float  # of these, inside training steps
    validation_seconds: float  # of the one validation

    @property
    def overhead(self) -> float:
        """The fraction in [0, 1] of the time (without validations) outside training steps."""
        return max(1 - self.step_seconds / self.seconds, 0.0)

    @property
    def images_per_second(self) -> float:
        """Training images per second, without validations."""
        return self.epochs * self.images / self.seconds

    @property
    def validation_per_1000(self) -> float:
        """Seconds per validation of 1,000 images."""
        return 1000 * self.validation_seconds / self.validated

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {
            "overhead": self.overhead,
            "images_per_second": self.images_per_second,
            "validation_seconds_per_1000": self.validation_per_1000,
        }


def measure_epochs(manifest: Manifest, size: int, machine: Runtime, seconds: float, fewest: int = FEWEST) -> EpochCost:
    """Train the scratch recipe's smallest model at `size` pixels on the images of `manifest`, whatever their split.

    An epoch has `fewest` images, or as many as take about `seconds`, because writing after the best epoch takes little
    time compared with an epoch of seconds, but much compared with a very short one. Nothing is left behind.
    """
    cost = train_epochs(manifest, size, machine, fewest)
    each = cost.seconds / cost.epochs
    if each >= seconds:
        return cost
    return train_epochs(manifest, size, machine, min(round(fewest * seconds / each), max(fewest, MOST)))


def train_epochs(manifest: Manifest, size: int, machine: Runtime, images: int) -> EpochCost:
    """Train for `EPOCHS` on `images`, repeated if there are too few; all epochs but the first count."""
    split = divided(manifest, images)
    ends: list[tuple[float, dict[str, Any]]] = []
    with cache_of_its_own(), TemporaryDirectory(prefix="corolla-") as folder:
        recipe = recipe_for(size, split.size("train"))
        trainer = Trainer(split, recipe, seed=0, machine=machine, progress=Progress())
        trainer.fit(Run(Path(folder)), "bench", tell=lambda row: ends.append((time.perf_counter(), row)))
        trained = len(trainer.feed) * trainer.feed.batch_size
        del trainer
    rows = [row for _, row in ends[1:]]
    validations = [row["validation_seconds"] for row in rows if "validation_seconds" in row]
    return EpochCost(
        size=size,
        images=trained,
        validated=split.size("val"),
        epochs=len(rows),
        seconds=ends[-1][0] - ends[0][0] - sum(validations),
        step_seconds=sum(row["step_seconds"] for row in rows),
        validation_seconds=validations[-1],
    )


def divided(manifest: Manifest, images: int) -> Manifest:
    """The first `images` of the manifest, repeated if it has fewer; every fifth is for validation."""
    endless = enumerate(islice(cycle(manifest.examples), images))
    return manifest.with_examples(
        tuple(replace(each, split="val" if place % EVERY == EVERY - 1 else "train") for place, each in endless)
    )


def recipe_for(size: int, images: int) -> Recipe:
    """The scratch recipe at one image size."""
    return RECIPE.changed(
        model=f"vit_micro_conv16_{size}",
        image_size=size,
        epochs=EPOCHS,
        progressive_resizing=((0.0, 1.0),),
        batch_size=min(BATCH, images),
        validations=VALIDATIONS,
    )
