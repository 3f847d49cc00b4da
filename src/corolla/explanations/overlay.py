"""The explanation of one prediction, and how it is drawn: colors over the image, and tiles of small images, as PNGs."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.explanations import Method

COLORS = "inferno"  # perceptually uniform: equal steps look equal, also in gray and for color-blind readers
STRENGTH = 0.6  # of the colors; the rest is the image in gray
GAP = 1  # pixels between tiles, before they are enlarged


@dataclass(frozen=True, eq=False)
class Explanation:
    """The attribution map of one prediction, patch by patch."""

    method: Method
    label: str  # the explained class: the predicted one, unless another was given
    probability: float  # of that class
    map: NDArray[np.float32]  # (rows, columns) of the patch grid; larger is more relevant, in the method's own scale
    pixels: NDArray[np.uint8]  # (H, W, 3), the preprocessed image
    heads: NDArray[np.float32] | None = None  # (heads, rows, columns), whose mean is `map`; only of "attention"

    def overlay(self) -> Image.Image:
        """The map as colors over the image, H x W."""
        return overlay(self.pixels, self.map)


def scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values scaled from 0 for the minimum to 1 for the maximum; all 0 if they are equal."""
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)


def colored(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers in [0, 1] (...) as RGB (..., 3)."""
    from matplotlib import colormaps

    colors: NDArray[np.uint8] = colormaps[COLORS](values, bytes=True)[..., :3]
    return colors


def heat(values: NDArray[np.float32], height: int, width: int) -> Image.Image:
    """The map (rows, columns) as colors, `height` x `width`, interpolated bilinearly between patch centers."""
    spread = Image.fromarray(scaled(values)).resize((width, height), Image.Resampling.BILINEAR)
    return Image.fromarray(colored(np.asarray(spread)))


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32]) -> Image.Image:
    """The map (rows, columns) over the image (H, W, 3): H x W.

    The map's minimum is dark and its maximum bright, so colors can be compared within an image but not between images.
    """
    height, width = pixels.shape[:2]
    gray = Image.fromarray(pixels).convert("L").convert("RGB")
    return Image.blend(gray, heat(values, height, width), STRENGTH)


def tiled(tiles: NDArray[np.uint8], side: int = 640) -> Image.Image:
    """Tiles (R, C, h, w, 3) on white, enlarged by an integer factor to an image about `side` pixels wide."""
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
