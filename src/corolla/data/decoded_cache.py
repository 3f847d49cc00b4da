"""The images of a training, decoded once: resized, as uint8, in one memory-mapped file of corolla's cache.

Every run and every loader process with the same image contents and size uses the same file. Without room on the disk,
the images are decoded from their files each time.
"""

import hashlib
import os
import shutil
import time
import zlib
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

from corolla.cache import DAY, cache_folder, new_folder, sha256_of
from corolla.checksummed import load_sealed, save_sealed
from corolla.data.decoding import ImageError, read_image
from corolla.lock import in_use, locked

VERSION = 3  # of the format and of what `resize_for_cache` does
LIMIT = 16 * 2**30  # bytes of all stores together; the least recently used ones are deleted first
SHARE_OF_DISK = 0.5  # largest fraction of the free space for a new store
INDEX = "index.safetensors"
LONGEST = 2.0  # largest aspect ratio; a longer image is cropped at both ends
TOGETHER = 256  # images per block, which is decoded at once and has one checksum
READ = 2**20  # bytes per read

ImageArray = NDArray[np.uint8]  # (h, w, 3)


class Pixels(Protocol):
    """Images by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> ImageArray: ...


def resize_for_cache(source: Path | bytes, side: int) -> ImageArray:
    """The image of a file or of its bytes, shrunk if its shorter side is longer than `side` pixels."""
    image = read_image(source, draft=side)
    width, height = image.size
    short = min(width, height)
    crop_width, crop_height = min(width, LONGEST * short), min(height, LONGEST * short)
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    scale = min(1.0, side / short)
    size = (max(round(crop_width * scale), 1), max(round(crop_height * scale), 1))
    box = (left, top, left + crop_width, top + crop_height)
    return np.array(image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


@dataclass(frozen=True)
class PixelStream:
    """Images that are decoded at every access."""

    paths: tuple[Path, ...]
    side: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> ImageArray:
        return resize_for_cache(self.paths[index], self.side)


@dataclass(frozen=True)
class DecodedImageCache:
    """Images, one after another, in `folder/pixels`; `folder/index.safetensors` has their sizes."""

    folder: Path

    @cached_property
    def index(self) -> dict[str, NDArray[np.int64]]:
        """`sizes`, the height and width of each image, and `sums`, the crc32 of every `TOGETHER` of them."""
        index, _ = load_sealed(self.folder / INDEX, "np")
        sizes, sums = index["sizes"], index["sums"]
        whole = sizes.shape == (len(sizes), 2) and sums.shape == (-(-len(sizes) // TOGETHER),)
        if not whole or sizes.dtype != np.int64 or sums.dtype != np.int64 or (sizes < 1).any():
            raise ValueError("the index was not written by corolla")
        return index

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Height and width of each image (images, 2)."""
        return self.index["sizes"]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The offset of each image in the file, and the end of the last one (images + 1,)."""
        return np.concatenate(([0], np.cumsum(3 * self.sizes.prod(axis=1))))

    @cached_property
    def bytes(self) -> NDArray[np.uint8]:
        """The mapped file; writing to it changes only a copy in memory."""
        return np.asarray(np.memmap(self.folder / "pixels", np.uint8, mode="c"))

    def whole(self, progress: Callable[[int, int], None] | None = None) -> bool:
        """Whether all checksums match; reads everything, on all cores."""
        try:
            if (self.folder / "pixels").stat().st_size != int(self.starts[-1]):
                return False
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for number, crc in enumerate(pool.map(self.crc, range(len(self.index["sums"])))):
                    if crc != self.index["sums"][number]:
                        pool.shutdown(cancel_futures=True)
                        return False
                    if progress:
                        progress(min((number + 1) * TOGETHER, len(self)), len(self))
        except (OSError, ValueError, KeyError):
            return False
        return True

    def crc(self, block: int) -> int:
        """The checksum of one block of `TOGETHER` images on the disk."""
        start, end = (int(self.starts[min(number * TOGETHER, len(self))]) for number in (block, block + 1))
        crc, buffer = 0, memoryview(bytearray(min(READ, end - start)))
        with (self.folder / "pixels").open("rb", buffering=0) as file:  # a bad sector is an error here, not a signal
            file.seek(start)
            while start < end:
                read = file.readinto(buffer[: end - start])
                if not read:
                    raise EOFError
                crc, start = zlib.crc32(buffer[:read], crc), start + read
        return crc

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> ImageArray:
        height, width = self.sizes[index]
        return self.bytes[self.starts[index] : self.starts[index + 1]].reshape(height, width, 3)

    def __reduce__(self) -> tuple[Any, ...]:  # another process maps the file again
        return DecodedImageCache, (self.folder,)


def cache_decoded(
    paths: Sequence[Path],
    hashes: Sequence[str],
    side: int,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Pixels:
    """The images at `paths` with the sha256 `hashes`, shrunk to `side` and decoded once.

    Two processes may do this at the same time. A cached store is verified by its checksums, and decoded again if it
    has changed, which `note` reports. Without the space or the permission to store the images, or if a hash is
    missing, they are decoded from the files at every access. Raises `ImageError` for a damaged image.
    """
    stream = PixelStream(tuple(paths), side)
    key = hashlib.sha256("/".join([str(VERSION), str(side), *hashes]).encode()).hexdigest()[:32]
    stores = cache_folder() / "pixels"
    store = DecodedImageCache(stores / key)
    if not paths or not all(hashes):
        return stream
    if not store.whole(progress):
        if note and store.folder.is_dir():
            note(f"the decoded images in {store.folder} were damaged; they are decoded again")
        try:
            stores.mkdir(parents=True, exist_ok=True)
            if len(paths) * 3 * (1.25 * side) ** 2 > min(LIMIT, SHARE_OF_DISK * shutil.disk_usage(stores).free):
                return stream
            shutil.rmtree(store.folder, ignore_errors=True)  # the rest of a damaged store
            with new_folder(store.folder) as folder, locked(folder, "decoding"):
                write(folder, stream, hashes, progress)
            store = DecodedImageCache(store.folder)  # without cached properties
        except OSError:
            return stream
        make_room(stores, spare=store.folder)
    with suppress(OSError):  # another user's cache may be read-only
        os.utime(store.folder)
    try:
        return store if store.bytes.size == store.starts[-1] else stream  # mapped now: readable even if deleted
    except (OSError, ValueError):
        return stream


def write(
    folder: Path, stream: PixelStream, hashes: Sequence[str], progress: Callable[[int, int], None] | None
) -> None:
    """Decode every image, on all cores, into a new store; `ImageError` for an image with another hash."""
    sizes: list[tuple[int, ...]] = []
    sums: list[int] = []
    waiting = iter(zip(stream.paths, hashes, strict=True))

    def decode(asked: tuple[Path, str]) -> ImageArray:
        path, sha256 = asked
        if sha256_of(path) != sha256:
            raise ImageError("it has changed since it was checked", path)
        return resize_for_cache(path, stream.side)

    with (folder / "pixels").open("wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(waiting, TOGETHER)):
            sums.append(0)
            for image in pool.map(decode, some):
                file.write(np.ascontiguousarray(image).data)
                sums[-1] = zlib.crc32(np.ascontiguousarray(image).data, sums[-1])
                sizes.append(image.shape[:2])
                if progress:
                    progress(len(sizes), len(stream.paths))
    save_sealed({"sizes": np.array(sizes, np.int64), "sums": np.array(sums, np.int64)}, folder / INDEX, framework="np")


def make_room(stores: Path, spare: Path) -> None:
    """Delete the least recently used stores beyond `LIMIT`, and the leftovers of killed processes."""
    ages, total = [], 0
    for folder in stores.iterdir():
        try:
            age = folder.stat().st_mtime
            size = sum(file.stat().st_size for file in folder.iterdir())
        except OSError:
            continue  # another process was quicker
        if folder.name.startswith("."):
            if time.time() - age > DAY and not in_use(folder):  # the clock may have been changed
                shutil.rmtree(folder, ignore_errors=True)
            continue
        total += size
        ages.append((age, size, folder))
    for _, size, folder in sorted(ages):
        if total > LIMIT and folder != spare:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
