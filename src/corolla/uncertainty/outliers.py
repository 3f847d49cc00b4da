"""Synthetic outliers, made from validation images, to choose the OOD score.

Each function takes preprocessed pixels and destroys the content of the image but preserves some of its statistics.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3)
TILES = 4  # along a side
FINEST = 4.0  # standard deviation in pixels of the Gaussian blur, on the downscaled image


def shuffled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The image's tiles in random order: textures and colors stay, shapes are lost."""
    rows, columns = (np.array_split(np.arange(side), TILES) for side in pixels.shape[:2])
    tiles = [pixels[np.ix_(row, column)] for row in rows for column in columns]
    height, width = min(len(row) for row in rows), min(len(column) for column in columns)
    order = rng.permutation(len(tiles))
    lines = [
        np.concatenate([tiles[place][:height, :width] for place in order[start : start + TILES]], axis=1)
        for start in range(0, len(tiles), TILES)
    ]
    whole = np.concatenate(lines)
    return np.asarray(cv2.resize(whole, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def scrambled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The image's spectrum with the phases of noise: a cloud of the same colors and coarseness."""
    noise = np.angle(np.fft.fft2(rng.standard_normal(pixels.shape[:2])))[:, :, None]
    spectrum = np.fft.fft2(pixels.astype(np.float64), axes=(0, 1))
    turned = spectrum * np.exp(1j * noise)
    turned[0, 0] = spectrum[0, 0]  # the mean color
    return np.asarray(np.fft.ifft2(turned, axes=(0, 1)).real.round().clip(0, 255), np.uint8)


def melted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The image blurred until only a few soft spots are left."""
    height, width = pixels.shape[:2]
    deviation = rng.uniform(0.12, 0.2) * min(height, width)
    # Such soft spots need few pixels, so they are made at a small size in a hundredth of the time.
    factor = max(int(deviation / FINEST), 1)
    size = max(round(width / factor), 1), max(round(height / factor), 1)
    small = cv2.resize(pixels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    blots = cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / factor), (width, height))
    return np.asarray(blots.round().clip(0, 255), np.uint8)


def negative(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The inverted image with permuted channels: shapes with unnatural colors."""
    return np.ascontiguousarray(255 - pixels[:, :, rng.permutation(3)])


OUTLIERS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "shuffled": shuffled,
    "scrambled": scrambled,
    "melted": melted,
    "negative": negative,
}
