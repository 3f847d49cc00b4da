"""Preprocessed images, decoded and resized once and used many times: a training's validation split."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from corolla.cache import cache_folder
from corolla.data.decoding import read_image
from corolla.predictor import BATCH, batches_of
from corolla.preprocessing import Preprocessing

Pixels = NDArray[np.uint8]  # (B, H, W, 3)


class ReadyImages:
    """The images at `paths` after `preprocessing`, in batches, in their order.

    The first pass decodes them and writes them to an unnamed file on the disk of corolla's cache; later passes read
    that file. If the disk has no space for it, every pass decodes. Raises `ImageError` for an image that cannot be
    read.
    """

    def __init__(self, paths: Sequence[Path], preprocessing: Preprocessing) -> None:
        self.paths, self.preprocessing = paths, preprocessing
        self.saved: Pixels | None = None  # (images, H, W, 3), after a complete pass

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Pixels]:
        if self.saved is not None:
            for start in range(0, len(self), BATCH):
                yield np.array(self.saved[start : start + BATCH])
            return
        shape = (len(self), *self.preprocessing.image_size, 3)
        with nameless_file() as file:
            for _, batch in batches_of(len(self), self.read):
                with suppress(OSError):  # the disk is full; the file is then too short and not used
                    file.write(batch.data)
                yield batch
            with suppress(OSError):
                file.flush()
            if len(self) and os.fstat(file.fileno()).st_size == np.prod(shape):
                self.saved = np.memmap(file, np.uint8, "r", shape=shape)  # keeps the file even after it is closed

    def read(self, number: int) -> Pixels:
        """One image (H, W, 3) from its file."""
        return self.preprocessing.pixels(read_image(self.paths[number]))


def nameless_file() -> IO[bytes]:
    """A temporary file in corolla's cache that disappears after its last use; the null device if that fails."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=cache_folder())
    except OSError:
        return Path(os.devnull).open("r+b")
