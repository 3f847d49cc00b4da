"""Training images in batches of random augmented crops ("views"), in a seeded order, epoch by epoch.

The order and each view depend on seed, epoch and image alone. So an epoch can start at any batch, several processes
can share each batch, and workers can be replaced, with the same result.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from corolla.data.decoded_cache import Pixels, cache_decoded
from corolla.data.manifest import Manifest
from corolla.processes import ALONE, Processes
from corolla.training.recipe import Recipe
from corolla.training.rng import seed_of
from corolla.training.transforms.train_transform import TrainTransform
from corolla.training.workers import GRACE, Loader, restart_dead_workers, worker_options, workers_alive

MARGIN = 1.5  # images are cached at this multiple of the training size, to cut the crops from

Batch = tuple[Tensor, Tensor]  # uint8 views (B, 3, size, size) and class numbers (B,)


class ImageLoader(Protocol):
    """The data loader of a training: the same batches for any number of processes."""

    batch_size: int  # images of a batch, of all processes together

    def __len__(self) -> int:
        """Batches of an epoch."""

    def batches(self, epoch: int, size: int, start: int = 0) -> Iterator[Batch]:
        """This process's part of each batch from batch `start` of epoch `epoch` on, in views of `size` pixels."""

    def prepare(self, epoch: int, size: int) -> None:
        """Optionally start the next epoch in advance; no further batch of the epoch before may be requested."""


@dataclass(frozen=True, slots=True)
class SampleSpec:
    """One image of one epoch: its index, the seed of its view, and the size of the view in pixels."""

    index: int
    seed: int
    size: int


class TrainingImages(Dataset[Batch]):
    """Images and class numbers; indexed with a list of `SampleSpec`, it returns a batch of random views."""

    def __init__(self, pixels: Pixels, labels: list[int], views: TrainTransform) -> None:
        self.pixels, self.labels, self.views = pixels, torch.tensor(labels), views

    @staticmethod
    def of(
        manifest: Manifest,
        recipe: Recipe,
        side: int,
        progress: Callable[[int, int], None] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> "TrainingImages":
        """The training split, for views of up to `side` pixels."""
        examples = manifest.split("train")
        paths = [manifest.locate(example) for example in examples]
        hashes = [example.sha256 for example in examples]
        pixels = cache_decoded(paths, hashes, math.ceil(side * MARGIN), progress, note)
        return TrainingImages(pixels, manifest.labels("train"), TrainTransform(recipe))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, draws: list[SampleSpec]) -> Batch:
        images = [self.pixels[draw.index] for draw in draws]
        views = self.views(images, draws[0].size, [draw.seed for draw in draws])
        return views, self.labels[[draw.index for draw in draws]]


class EpochSampler(Sampler[list[SampleSpec]]):
    """Every image once per epoch, in an order seeded by run and epoch, in full batches.

    Set `epoch`, `size` and the first batch `start` before each pass. The images after the last full batch are
    dropped; the next epoch's order drops others. A set smaller than one batch is one smaller batch. Yields this
    process's part of each batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int, processes: Processes = ALONE) -> None:
        self.count, self.batch_size, self.seed = count, min(batch_size, count), seed
        self.part = processes.shard_range(self.batch_size)
        self.epoch, self.size, self.start = 0, 0, 0

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[SampleSpec]]:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch, "order"))
        order = torch.randperm(self.count, generator=generator).tolist()
        for first in range(self.start * self.batch_size, len(self) * self.batch_size, self.batch_size):
            own = order[first + self.part.start : first + self.part.stop]
            yield [SampleSpec(index, seed_of(self.seed, self.epoch, index), self.size) for index in own]


def training_loader(images: TrainingImages, sampler: EpochSampler, workers: int) -> Loader[Batch]:
    """Batches of views, prefetched by `workers` processes."""
    return Loader(
        images,
        batch_size=None,  # the sampler makes whole batches
        sampler=sampler,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # otherwise starting workers would use the training's own RNG
        **worker_options(workers),
    )


class CachedLoader:
    """A loader of images from the cache on this machine's disk."""

    def __init__(
        self, images: TrainingImages, batch_size: int, seed: int, workers: int, processes: Processes = ALONE
    ) -> None:
        self.images, self.workers = images, workers
        self.sampler = EpochSampler(len(images), batch_size, seed, processes)
        self.batch_size = self.sampler.batch_size
        self.loader = training_loader(self.images, self.sampler, self.workers)
        self.reading: Iterator[Batch] | None = None
        self.ahead: tuple[int, int] | None = None  # the epoch and size that `reading` was prepared for

    def __len__(self) -> int:
        return len(self.sampler)

    def batches(self, epoch: int, size: int, start: int = 0) -> Iterator[Batch]:
        """This process's part of each batch from batch `start` of epoch `epoch` on, in views of `size` pixels."""

        def once(begin: int) -> Iterator[Batch]:
            ready = self.ahead == (epoch, size) and begin == 0
            self.ahead = None
            if ready and self.reading is not None:
                return self.reading
            return self.begin(epoch, size, begin)

        return restart_dead_workers(once, start, lambda: workers_alive(self.reading, GRACE))

    def begin(self, epoch: int, size: int, start: int) -> Iterator[Batch]:
        """Start the workers on an epoch."""
        self.sampler.epoch, self.sampler.size, self.sampler.start = epoch, size, start
        if self.reading is not None and not workers_alive(self.reading):
            self.loader = training_loader(self.images, self.sampler, self.workers)
        self.reading = iter(self.loader)
        return self.reading

    def prepare(self, epoch: int, size: int) -> None:
        """Start the workers on the next epoch, after the last batch of the epoch before."""
        if not self.workers:
            return
        with suppress(RuntimeError, OSError, EOFError):  # `batches` handles a worker's death
            self.begin(epoch, size, 0)
            self.ahead = epoch, size
