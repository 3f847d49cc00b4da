"""Pictures of a training, decoded once: small, as uint8, in one memory-mapped file of corolla's cache.

The file is found again as long as the pictures' content and the size are the same, by every run and every process that
makes views; what does not fit on the disk is decoded from the files each time instead.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.data.cache import cache_folder, new_folder
from corolla.data.decoding import read_picture

VERSION = 1  # of the format and of what `shrink` does
LIMIT = 16 * 2**30  # bytes of all stores together; the longest unused ones go first
SHARE_OF_DISK = 0.5  # of what is free, for a new store
LONGEST = 2.0  # a picture longer than so many times its shorter side is cut at both ends
DAY = 24 * 3600.0

Picture = NDArray[np.uint8]  # (h, w, 3)


class Pixels(Protocol):
    """Pictures by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture: ...


def shrink(source: Path | bytes, side: int) -> Picture:
    """The picture of a file or of its bytes, its shorter side brought down to `side` pixels if it was longer."""
    picture = read_picture(source, draft=side)
    width, height = picture.size
    short = min(width, height)
    crop_width, crop_height = min(width, LONGEST * short), min(height, LONGEST * short)
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    scale = min(1.0, side / short)
    size = (max(round(crop_width * scale), 1), max(round(crop_height * scale), 1))
    box = (left, top, left + crop_width, top + crop_height)
    return np.array(picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


@dataclass(frozen=True)
class PixelStream:
    """Pictures that are decoded again whenever they are asked for."""

    paths: tuple[Path, ...]
    side: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Picture:
        return shrink(self.paths[index], self.side)


@dataclass(frozen=True)
class PixelStore:
    """Pictures that lie one after another in `folder/pixels`; `folder/index.npy` holds their heights and widths."""

    folder: Path

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Height and width of each picture (pictures, 2)."""
        sizes: NDArray[np.int64] = np.load(self.folder / "index.npy", allow_pickle=False)
        if sizes.ndim != 2 or sizes.shape[1] != 2 or sizes.dtype != np.int64 or (sizes < 1).any():
            raise ValueError("the index is damaged")
        return sizes

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each picture begins in the file, and where the last one ends (pictures + 1,)."""
        return np.concatenate(([0], np.cumsum(3 * self.sizes.prod(axis=1))))

    @cached_property
    def bytes(self) -> NDArray[np.uint8]:
        """The file; writing to this would change a copy in memory only."""
        return np.asarray(np.memmap(self.folder / "pixels", np.uint8, mode="c"))

    def whole(self) -> bool:
        """Whether everything is there."""
        try:
            return (self.folder / "pixels").stat().st_size == int(self.starts[-1])
        except (OSError, ValueError, EOFError):
            return False

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Picture:
        height, width = self.sizes[index]
        return self.bytes[self.starts[index] : self.starts[index + 1]].reshape(height, width, 3)

    def __reduce__(self) -> tuple[Any, ...]:  # another process maps the file itself
        return PixelStore, (self.folder,)


def keep_pixels(
    paths: Sequence[Path],
    hashes: Sequence[str],
    side: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pixels:
    """The pictures at `paths`, whose contents have the sha256 `hashes`, shrunk to `side` and decoded once.

    Two processes may ask for the same ones at once. Where there is no room or no right to keep them, or a hash is
    missing, they are decoded from the files whenever they are asked for. Raises `PictureError` for a damaged one.
    """
    stream = PixelStream(tuple(paths), side)
    key = hashlib.sha256("/".join([str(VERSION), str(side), *hashes]).encode()).hexdigest()[:32]
    stores = cache_folder() / "pixels"
    store = PixelStore(stores / key)
    if not paths or not all(hashes):
        return stream
    if not store.whole():
        try:
            stores.mkdir(parents=True, exist_ok=True)
            if len(paths) * 3 * (1.25 * side) ** 2 > min(LIMIT, SHARE_OF_DISK * shutil.disk_usage(stores).free):
                return stream
            shutil.rmtree(store.folder, ignore_errors=True)  # what is left of a damaged one
            with new_folder(store.folder) as folder:
                write(folder, stream, progress)
            store = PixelStore(store.folder)  # that has read nothing yet
        except OSError:
            return stream
        make_room(stores, spare=store.folder)
    with suppress(OSError):  # a cache of somebody else's may be read only
        os.utime(store.folder)
    return store if store.whole() else stream


def write(folder: Path, stream: PixelStream, progress: Callable[[int, int], None] | None) -> None:
    """Decode every picture, on all cores, into a new store."""
    sizes: list[tuple[int, ...]] = []
    waiting = iter(stream.paths)
    with (folder / "pixels").open("wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(waiting, 256)):
            for picture in pool.map(lambda path: shrink(path, stream.side), some):
                file.write(np.ascontiguousarray(picture).data)
                sizes.append(picture.shape[:2])
                if progress:
                    progress(len(sizes), len(stream.paths))
    np.save(folder / "index.npy", np.array(sizes, np.int64))


def make_room(stores: Path, spare: Path) -> None:
    """Delete the longest unused stores beyond `LIMIT`, and what a process that was killed has left."""
    ages, total = [], 0
    for folder in stores.iterdir():
        try:
            age = folder.stat().st_mtime
            size = sum(file.stat().st_size for file in folder.iterdir())
        except OSError:
            continue  # another process was quicker
        if folder.name.startswith("."):
            if time.time() - age > DAY:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        total += size
        ages.append((age, size, folder))
    for _, size, folder in sorted(ages):
        if total > LIMIT and folder != spare:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
