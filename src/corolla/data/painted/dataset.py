"""The data set: one picture by kind and seed, or a class-per-folder tree of them."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from corolla.atomic import write_bytes
from corolla.data.painted.flowers.daisy import daisy
from corolla.data.painted.flowers.dandelion import dandelion
from corolla.data.painted.flowers.rose import rose
from corolla.data.painted.flowers.sunflower import sunflower
from corolla.data.painted.flowers.tulip import tulip
from corolla.data.painted.scene import Painter, compose
from corolla.errors import CorollaError
from corolla.paths import AnyPath, at

PAINTERS: Mapping[str, Painter] = {
    "daisy": daisy,
    "dandelion": dandelion,
    "rose": rose,
    "sunflower": sunflower,
    "tulip": tulip,
}
KINDS: tuple[str, ...] = tuple(PAINTERS)
SIZES = (16, 1024)
SEED_STRIDE = 1_000_000  # a data set of one seed shares no picture with that of the next


def paint(kind: str, seed: int, size: int = 160) -> Image.Image:
    """Paint one RGB picture of flowers of one kind, its longer side `size` pixels, the other at least 3/4 of it.

    The same kind, seed and size give the same pixels, and another size the same scene (but for its grain).
    Raises `CorollaError` for an unknown kind, a negative seed or a size outside 16 to 1024.
    """
    if kind not in PAINTERS:
        raise CorollaError(f"no painter for {kind!r}; choose one of {', '.join(KINDS)}")
    if seed < 0:
        raise CorollaError(f"the seed is {seed}; choose a whole number from 0 up")
    if not SIZES[0] <= size <= SIZES[1]:
        raise CorollaError(f"cannot paint at {size} pixels; choose a size from {SIZES[0]} to {SIZES[1]}")
    return compose(PAINTERS[kind], np.random.default_rng([KINDS.index(kind), seed]), size)


def paint_dataset(
    folder: AnyPath,
    count: int,
    *,
    size: int = 160,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Paint `count` JPEG pictures into `folder`, one folder a kind (`daisy/painted-00000.jpg`, ...), and return it.

    The kinds differ by one picture at most. `progress` is called after each picture with (painted, count).
    Every file appears whole or not at all, and painting again finishes what was broken off. Raises
    `CorollaError` if the folder holds anything else, so that no foreign picture ends up in a class.
    """
    folder = at(folder)
    if count < len(KINDS):
        raise CorollaError(f"cannot paint {count} pictures; ask for {len(KINDS)} or more, one of each kind")
    places = [
        (Path(kind) / f"painted-{number:05d}.jpg", kind, number)
        for number in range(-(-count // len(KINDS)))
        for kind in KINDS
    ][:count]
    refuse_strangers(folder, {path for path, _, _ in places})
    for done, (path, kind, number) in enumerate(places, start=1):
        jpeg = io.BytesIO()
        paint(kind, seed * SEED_STRIDE + number, size).save(jpeg, "JPEG", quality=92)
        write_bytes(folder / path, jpeg.getvalue())
        if progress is not None:
            progress(done, count)
    return folder


def refuse_strangers(folder: Path, ours: set[Path]) -> None:
    """Raise `CorollaError` if `folder` is a file, or holds a file that is not one of `ours` (relative paths)."""
    if folder.exists() and not folder.is_dir():
        raise CorollaError(f"{folder} is a file; give a new or empty folder to paint into")
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and path.relative_to(folder) not in ours:
            raise CorollaError(
                f"{folder} already holds {path.relative_to(folder)}; give a new or empty folder to paint into"
            )
