"""Batches of random views of images that are streamed from shards, with or without worker processes."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from corolla.data.decoded_cache import ImageArray, resize_for_cache
from corolla.data.decoding import ImageError
from corolla.data.manifest import Manifest
from corolla.data.stream import ImageStream
from corolla.errors import CorollaError
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.text import count
from corolla.training.cached_loader import MARGIN, CachedLoader, ImageLoader, TrainingImages
from corolla.training.interleaving import Drawn, InterleavedShuffle, lanes_of
from corolla.training.recipe import Recipe
from corolla.training.rng import seed_of
from corolla.training.transforms.train_transform import TrainTransform
from corolla.training.workers import GRACE, Loader, restart_dead_workers, worker_options, workers_alive

ViewBatch = tuple[Tensor, Tensor, int]  # a worker's views and class numbers, and the number of damaged images
Received = ViewBatch | CorollaError  # an error in a worker is raised in the main process with its own message
Readable = tuple[int, ImageArray, int]  # an image's number in the stream, its pixels, its class number


class LaneReader:
    """One lane's images from some position on; a damaged image is replaced by the one before it."""

    def __init__(self, lanes: InterleavedShuffle, lane: int, side: int, position: int) -> None:
        self.lanes, self.side, self.position = lanes, side, position
        self.windows = lanes.windows(lane, position)
        self.start, self.drawn = next(self.windows)
        self.damaged = 0

    def __next__(self) -> Readable:
        if self.position - self.start == len(self.drawn):
            self.start, self.drawn = next(self.windows)
        place = self.position - self.start
        self.position += 1
        found = self.decoded(self.drawn[place])
        if found is None:
            self.damaged += 1
            found = self.instead(place)
        return found

    def decoded(self, drawn: Drawn) -> Readable | None:
        """An image's pixels, or None if it cannot be read."""
        try:
            return drawn.index, resize_for_cache(drawn.image.content, self.side), drawn.image.label
        except ImageError:
            return None

    def instead(self, place: int) -> Readable:
        """The nearest readable image before `place` in this window, else after it, else the epoch's first.

        The choice depends on the epoch alone and not on where reading started.
        """
        for drawn in (*self.drawn[:place][::-1], *self.drawn[place + 1 :]):
            if (found := self.decoded(drawn)) is not None:
                return found
        return self.first

    @cached_property
    def first(self) -> Readable:
        """The first readable image of the epoch."""
        for drawn in self.lanes.read(0):
            if (found := self.decoded(drawn)) is not None:
                return found
        raise CorollaError(f"no training image of {self.lanes.stream.source} can be read; is it damaged?")


@dataclass(frozen=True)
class LaneViews(IterableDataset[Received]):
    """The views of this process's lanes of an epoch, from batch `start` on; workers share the lanes."""

    lanes: InterleavedShuffle
    mine: range  # the lanes of this process
    views: TrainTransform
    side: int  # of the images that the views are cut from
    size: int
    start: int

    def __iter__(self) -> Iterator[Received]:
        try:
            yield from self.pieces()
        except CorollaError as error:
            yield error

    def pieces(self) -> Iterator[ViewBatch]:
        """This worker's piece of each batch."""
        info = get_worker_info()
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        share, lanes = self.lanes.share, self.lanes
        own = self.mine[len(self.mine) * number // workers : len(self.mine) * (number + 1) // workers]
        readers = [LaneReader(lanes, lane, self.side, self.start * share) for lane in own]
        for _ in range(self.start, lanes.length // share):
            found = [next(reader) for reader in readers for _ in range(share)]
            seeds = [seed_of(lanes.seed, lanes.epoch, index) for index, _, _ in found]
            views = self.views([image for _, image, _ in found], self.size, seeds)
            yield views, torch.tensor([label for _, _, label in found]), sum(reader.damaged for reader in readers)
            for reader in readers:
                reader.damaged = 0


class StreamingLoader:
    """The loader of a training on `stream`, for process `rank` of `processes`.

    The images of a batch and their views depend on seed and epoch alone: not on processes, workers or the batch at
    which an epoch is resumed. `note` receives a line about damaged images when an epoch ends.
    """

    def __init__(
        self,
        stream: ImageStream,
        recipe: Recipe,
        batch_size: int,
        seed: int,
        workers: int,
        rank: int = 0,
        processes: int = 1,
        note: Callable[[str], None] | None = None,
    ) -> None:
        stream.check()
        self.stream, self.views, self.seed, self.note = stream, TrainTransform(recipe), seed, note
        self.batch_size = min(batch_size, len(stream))
        self.side = math.ceil(recipe.image_size * MARGIN)
        lanes = lanes_of(self.batch_size)
        self.mine = range(rank * lanes // processes, (rank + 1) * lanes // processes)
        if lanes < processes:
            raise CorollaError(
                f"batches of {self.batch_size} can be shared by {count(lanes, 'process', 'processes')} at most, "
                f"and there are {processes}; "
                f"use a batch size that is divisible by {processes}"
            )
        self.workers = min(workers, len(self.mine))

    def __len__(self) -> int:
        return len(self.stream) // self.batch_size

    def batches(self, epoch: int, size: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's part of each batch from `start` on: uint8 views (b, 3, size, size) and class numbers."""
        lanes = InterleavedShuffle(self.stream, self.batch_size, self.seed, epoch)
        damaged = 0

        def once(begin: int) -> Iterator[tuple[Tensor, Tensor]]:
            nonlocal damaged
            self.reading = iter(self.loader(LaneViews(lanes, self.mine, self.views, self.side, size, begin)))
            for _ in range(begin, len(self)):
                some = [good(next(self.reading)) for _ in range(max(self.workers, 1))]  # one per worker, in their order
                damaged += sum(lost for _, _, lost in some)
                yield joined([views for views, _, _ in some]), joined([labels for _, labels, _ in some])

        yield from restart_dead_workers(once, start, lambda: workers_alive(self.reading, GRACE))
        if damaged and self.note:
            self.note(f"{damaged} damaged images of the shards were each replaced by the one before")

    def prepare(self, epoch: int, size: int) -> None:
        """Does nothing: every epoch has its own workers."""

    def loader(self, views: LaneViews) -> Loader[Received]:
        """The loader that prefetches `views` in worker processes."""
        return Loader(
            views,
            batch_size=None,  # `views` yields batches
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # otherwise starting workers would use the training's own RNG
            **worker_options(self.workers) | {"persistent_workers": False},  # another epoch has another order
        )


def good(told: Received) -> ViewBatch:
    """The piece; raises it if it is an error."""
    if isinstance(told, CorollaError):
        raise told
    return told


def joined(pieces: list[Tensor]) -> Tensor:
    """The pieces of one batch as one tensor."""
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def image_loader(
    manifest: Manifest,
    recipe: Recipe,
    seed: int,
    workers: int,
    processes: Processes,
    progress: Progress,
    main_first: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> ImageLoader:
    """The loader of a training: images decoded once into the cache, or streamed from shards.

    Within `main_first` one process per machine goes first, so that the others find its cache.
    """
    if manifest.stream is not None:
        return StreamingLoader(
            manifest.stream, recipe, recipe.batch_size, seed, workers, processes.rank, processes.count, progress.note
        )

    def tell(done: int, total: int) -> None:
        progress.stage("decoding", done, total)

    with main_first():
        images = TrainingImages.of(manifest, recipe, recipe.image_size, tell, progress.note)
    if processes.count > min(len(images), recipe.batch_size):
        raise CorollaError(f"{processes.count} processes cannot share a batch of {recipe.batch_size}")
    return CachedLoader(images, recipe.batch_size, seed, workers, processes)
