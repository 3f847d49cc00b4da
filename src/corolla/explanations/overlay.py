"""A map as colors over the image it is about, and tiles of small images: PNGs without a word in them."""

import io

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

COLORS = "inferno"  # perceptually uniform: equal steps of a map look equal, in gray and to the color-blind too
STRENGTH = 0.6  # of the colors; the rest is the image in gray
GAP = 1  # pixels between tiles, before they are enlarged


def scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values from 0 at the smallest to 1 at the largest; all 0 where they are equal."""
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)


def colored(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers of [0, 1] (...) as RGB (..., 3)."""
    colors: NDArray[np.uint8] = colormaps[COLORS](values, bytes=True)[..., :3]
    return colors


def heat(values: NDArray[np.float32], height: int, width: int) -> Image.Image:
    """The map (rows, columns) as colors, `height` x `width`, bilinear between the centers of the patches."""
    spread = Image.fromarray(scaled(values)).resize((width, height), Image.Resampling.BILINEAR)
    return Image.fromarray(colored(np.asarray(spread)))


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32]) -> Image.Image:
    """The map (rows, columns) over the image (H, W, 3): H x W.

    Its smallest value is dark and its largest bright, so an image's map says what is more and less within it, and
    nothing about other images.
    """
    height, width = pixels.shape[:2]
    gray = Image.fromarray(pixels).convert("L").convert("RGB")
    return Image.blend(gray, heat(values, height, width), STRENGTH)


def tiled(tiles: NDArray[np.uint8], side: int = 640) -> Image.Image:
    """Tiles (R, C, h, w, 3) on white, enlarged by a whole number so that the image is about `side` pixels wide."""
    down, across, height, width = tiles.shape[:4]
    canvas = np.full((down * (height + GAP) + GAP, across * (width + GAP) + GAP, 3), 255, np.uint8)
    for row in range(down):
        for column in range(across):
            top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
            canvas[top : top + height, left : left + width] = tiles[row, column]
    larger = max(side // canvas.shape[1], 1)
    return Image.fromarray(canvas.repeat(larger, axis=0).repeat(larger, axis=1))


def png(image: Image.Image) -> bytes:
    """The image as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
