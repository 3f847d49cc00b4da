"""Training pictures in batches of random views, drawn in a seeded order, epoch by epoch."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from corolla.data.manifest import Manifest
from corolla.data.pixels import Pixels, keep_pixels
from corolla.memory import keep_freed_memory
from corolla.training.recipe import Recipe
from corolla.training.views.randomness import seed_of
from corolla.training.views.view import Views

MARGIN = 1.5  # pictures are kept at so many times the training size, for the crops to be cut from

Batch = tuple[Tensor, Tensor]  # uint8 views (B, 3, size, size) and class numbers (B,)


@dataclass(frozen=True, slots=True)
class Draw:
    """One picture of one epoch: which, the seed of its view, and the pixels of the view's side."""

    index: int
    seed: int
    size: int


class TrainingPictures(Dataset[Batch]):
    """Pictures and class numbers; asked with a list of draws, answers with a batch of random views."""

    def __init__(self, pixels: Pixels, labels: list[int], views: Views) -> None:
        self.pixels, self.labels, self.views = pixels, torch.tensor(labels), views

    @staticmethod
    def of(
        manifest: Manifest, recipe: Recipe, side: int, progress: Callable[[int, int], None] | None = None
    ) -> "TrainingPictures":
        """The training split, for views of up to `side` pixels."""
        examples = manifest.split("train")
        paths = [manifest.locate(example) for example in examples]
        pixels = keep_pixels(paths, [example.sha256 for example in examples], math.ceil(side * MARGIN), progress)
        return TrainingPictures(pixels, manifest.labels("train"), Views(recipe))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, draws: list[Draw]) -> Batch:
        pictures = [self.pixels[draw.index] for draw in draws]
        views = self.views(pictures, draws[0].size, [draw.seed for draw in draws])
        return views, self.labels[[draw.index for draw in draws]]


class EpochSampler(Sampler[list[Draw]]):
    """Every picture once an epoch, in an order seeded by run and epoch, in full batches.

    Set `epoch` and `size` before each pass. The pictures left over after the last full batch are dropped for this
    epoch; another order leaves others over in the next. A set smaller than one batch is one smaller batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed = count, min(batch_size, count), seed
        self.epoch, self.size = 0, 0

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[Draw]]:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch, "order"))
        order = torch.randperm(self.count, generator=generator).tolist()
        draws = [Draw(index, seed_of(self.seed, self.epoch, index), self.size) for index in order]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield draws[start : start + self.batch_size]


def start_worker(_: int) -> None:
    """What a process that makes views does first."""
    keep_freed_memory()


def training_loader(pictures: TrainingPictures, sampler: EpochSampler, workers: int) -> DataLoader[Batch]:
    """Batches of views, made by `workers` processes ahead of their use."""
    return DataLoader(
        pictures,
        batch_size=None,  # the sampler makes batches, and each is answered whole
        sampler=sampler,
        num_workers=workers,
        worker_init_fn=start_worker,
        persistent_workers=workers > 0,
        prefetch_factor=3 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # or starting workers would draw from the training's own randomness
    )
