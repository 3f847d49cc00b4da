"""A map as colours over the picture it is about, and tiles of small pictures: PNGs without a word in them."""

import io

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

COLOURS = "inferno"  # perceptually uniform: equal steps of a map look equal, in grey and to the colour-blind too
STRENGTH = 0.6  # of the colours; the rest is the picture in grey
GAP = 1  # pixels between tiles, before they are enlarged


def scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values from 0 at the smallest to 1 at the largest; all 0 where they are equal."""
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)


def coloured(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers of [0, 1] (...) as RGB (..., 3)."""
    colours: NDArray[np.uint8] = colormaps[COLOURS](values, bytes=True)[..., :3]
    return colours


def heat(values: NDArray[np.float32], height: int, width: int) -> Image.Image:
    """The map (rows, columns) as colours, `height` x `width`, bilinear between the centres of the patches."""
    spread = Image.fromarray(scaled(values)).resize((width, height), Image.Resampling.BILINEAR)
    return Image.fromarray(coloured(np.asarray(spread)))


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32]) -> Image.Image:
    """The map (rows, columns) over the picture (H, W, 3): H x W.

    Its smallest value is dark and its largest bright, so a picture's map says what is more and less within it, and
    nothing about other pictures.
    """
    height, width = pixels.shape[:2]
    grey = Image.fromarray(pixels).convert("L").convert("RGB")
    return Image.blend(grey, heat(values, height, width), STRENGTH)


def tiled(tiles: NDArray[np.uint8], side: int = 640) -> Image.Image:
    """Tiles (R, C, h, w, 3) on white, enlarged by a whole number so that the picture is about `side` pixels wide."""
    down, across, height, width = tiles.shape[:4]
    canvas = np.full((down * (height + GAP) + GAP, across * (width + GAP) + GAP, 3), 255, np.uint8)
    for row in range(down):
        for column in range(across):
            top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
            canvas[top : top + height, left : left + width] = tiles[row, column]
    larger = max(side // canvas.shape[1], 1)
    return Image.fromarray(canvas.repeat(larger, axis=0).repeat(larger, axis=1))


def png(picture: Image.Image) -> bytes:
    """The picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
