"""Checks each image file: size, aspect ratio, grayscale, blank, damaged EXIF."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.audit import exif
from corolla.data.decoding import read_with_header
from corolla.progress import Progress

SIDE = 64  # pixels: enough to detect grayscale and blank images
SMALL = 64  # pixels of the shorter side, below which most models would have to enlarge an image several times
LONG = 2.0  # aspect ratio: half of the image is outside the square that a model sees
GRAY = 8  # levels of 255 between the largest and the smallest channel: less is compression noise
FLAT = 8  # levels of 255 between the lightest and the darkest: less is noise
BULK = 0.98  # fraction of the pixels that must agree: a date in a corner is neither color nor content
NEAR = 8  # levels of 255 within which colors count as equal
BATCH = 32

KINDS = {
    "blank": "Blank images",
    "grayscale": "Grayscale images",
    "small": f"Sides below {SMALL} pixels",
    "long": f"Longer than {LONG:g} : 1",
    "exif": "Damaged EXIF",
    "placeholder": "Likely placeholders",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The properties of one readable image."""

    width: int  # in pixels, upright
    height: int
    gray: bool
    blank: bool
    exif: str  # what is wrong with its EXIF block, or ""
    plain: float = 0.0  # fraction of the pixels with one color

    @property
    def ratio(self) -> float:
        """Width to height."""
        return self.width / self.height

    def oddities(self) -> dict[str, str]:
        """The kinds of `KINDS` that apply to this image alone, each with its details."""
        size = f"{self.width} x {self.height} pixels"
        long = max(self.ratio, 1 / self.ratio) > LONG
        found = {
            "blank": self.blank,
            "grayscale": self.gray and not self.blank,
            "small": min(self.width, self.height) < SMALL,
            "long": long,
            "exif": bool(self.exif),
        }
        details = {"exif": self.exif, "small": size, "long": size}
        return {kind: details.get(kind, "") for kind, there in found.items() if there}


def look(path: Path) -> Look:
    """Check the image at `path` at a small size; `ImageError` if it cannot be read."""
    image, header = read_with_header(path, draft=SIDE)
    small = image.resize((min(SIDE, image.width), min(SIDE, image.height)), Image.Resampling.BOX)
    pixels = np.asarray(small, np.int16).reshape(-1, 3)
    chroma = pixels.max(axis=1) - pixels.min(axis=1)
    darkest, lightest = np.quantile(pixels, [(1 - BULK) / 2, (1 + BULK) / 2], axis=0)
    return Look(
        header.width,
        header.height,
        gray=bool(np.quantile(chroma, BULK) < GRAY),
        blank=bool((lightest - darkest).max() < FLAT),
        exif=exif.fault(header.exif),
        plain=one_color(pixels),
    )


def one_color(pixels: NDArray[np.int16]) -> float:
    """The fraction of pixels (n, 3) with the most common color."""
    bins = (pixels // NEAR) @ np.array([32 * 32, 32, 1])
    commonest = pixels[bins == np.bincount(bins).argmax()].mean(axis=0)
    return float((np.abs(pixels - commonest).max(axis=1) <= NEAR).mean())


def look_at(paths: Sequence[Path], progress: Progress) -> list[Look]:
    """Check every image, in threads; `ImageError` for the first unreadable one."""
    looks: list[Look] = []
    with ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 2)) as pool:
        for start in range(0, len(paths), BATCH):
            looks += pool.map(look, paths[start : start + BATCH])
            progress.stage("checking the images", len(looks), len(paths))
    return looks
