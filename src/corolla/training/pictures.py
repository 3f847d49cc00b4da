"""Training pictures: decoded once if they fit in memory, and drawn in a seeded order, epoch by epoch."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from corolla.data.decoding import read_picture
from corolla.training.augmentation import Views, seed_of

MEMORY_LIMIT = 2 * 2**30  # bytes of decoded pictures kept; more are decoded again in every epoch
MARGIN = 1.5  # pictures are kept at so many times the training size, for the crops to be cut from
LONGEST = 2.0  # a picture longer than so many times its shorter side is cut at both ends


@dataclass(frozen=True, slots=True)
class Draw:
    """One picture of one epoch: which, the seed of its view, and the pixels of the view's side."""

    index: int
    seed: int
    size: int


def decode(path: Path, side: int) -> Tensor:
    """The picture as uint8 (3, h, w), its shorter side brought down to `side` pixels if it was longer."""
    picture = read_picture(path, draft=side)
    width, height = picture.size
    short = min(width, height)
    crop_width, crop_height = min(width, LONGEST * short), min(height, LONGEST * short)
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    scale = min(1.0, side / short)
    size = (max(round(crop_width * scale), 1), max(round(crop_height * scale), 1))
    box = (left, top, left + crop_width, top + crop_height)
    small = picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


class TrainingPictures(Dataset[tuple[Tensor, int]]):
    """Pictures and class numbers; asked with a `Draw`, answers with a random view."""

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[int],
        views: Views,
        side: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.paths, self.labels, self.views = list(paths), list(labels), views
        self.side = math.ceil(side * MARGIN)
        self.decoded: list[Tensor] | None = None
        if len(self.paths) * 3 * (self.side * 1.25) ** 2 <= MEMORY_LIMIT:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                self.decoded = []
                for picture in pool.map(lambda path: decode(path, self.side), self.paths):
                    self.decoded.append(picture.contiguous())
                    if progress:
                        progress(len(self.decoded), len(self.paths))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        picture = self.decoded[draw.index] if self.decoded else decode(self.paths[draw.index], self.side)
        return self.views(picture, draw.size, draw.seed), self.labels[draw.index]


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


def training_loader(pictures: TrainingPictures, sampler: EpochSampler, workers: int) -> DataLoader[tuple[Tensor, int]]:
    """Batches of uint8 views (B, 3, size, size) and class numbers (B,)."""
    return DataLoader(
        pictures,
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=3 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # or starting workers would draw from the training's own randomness
    )
