"""One painted image by kind and seed."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from corolla.errors import CorollaError
from corolla.painted.flowers.daisy import daisy
from corolla.painted.flowers.dandelion import dandelion
from corolla.painted.flowers.rose import rose
from corolla.painted.flowers.sunflower import sunflower
from corolla.painted.flowers.tulip import tulip
from corolla.painted.scene import Painter, compose

PAINTERS: Mapping[str, Painter] = {
    "daisy": daisy,
    "dandelion": dandelion,
    "rose": rose,
    "sunflower": sunflower,
    "tulip": tulip,
}
KINDS: tuple[str, ...] = tuple(PAINTERS)
SIZES = (16, 1024)


def paint(kind: str, seed: int, size: int = 160) -> Image.Image:
    """Paint one RGB image of flowers of one kind; its longer side is `size` pixels, the other at least 3/4 of that.

    The same kind, seed and size give the same pixels; another size gives the same scene (except its grain).
    Raises `CorollaError` for an unknown kind, a negative seed or a size outside 16 to 1024.
    """
    if kind not in PAINTERS:
        raise CorollaError(f"no painter for {kind!r}; choose one of {', '.join(KINDS)}")
    if seed < 0:
        raise CorollaError(f"the seed is {seed}; choose an integer of 0 or more")
    if not SIZES[0] <= size <= SIZES[1]:
        raise CorollaError(f"cannot paint at {size} pixels; choose a size from {SIZES[0]} to {SIZES[1]}")
    return compose(PAINTERS[kind], np.random.default_rng([KINDS.index(kind), seed]), size)


def jpeg(kind: str, seed: int, size: int) -> bytes:
    """The JPEG file of an image that `paint` paints."""
    file = io.BytesIO()
    paint(kind, seed, size).save(file, "JPEG", quality=92)
    return file.getvalue()
