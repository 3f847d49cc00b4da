"""One explanation of one answer: a map over the patches of an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.explanations import Method


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one answer rests on, patch by patch."""

    method: Method
    label: str  # the class that is explained: the answer, unless another one was asked for
    probability: float  # that the classifier gives it
    map: NDArray[np.float32]  # (rows, columns) of the grid of patches; larger is more, the scale is the method's own
    pixels: NDArray[np.uint8]  # (H, W, 3), the image as the model saw it
    heads: NDArray[np.float32] | None = None  # (heads, rows, columns), whose mean is `map`; only of "attention"

    def overlay(self) -> Image.Image:
        """The map as colors over the image, H x W."""
        from corolla.explanations.overlay import overlay

        return overlay(self.pixels, self.map)
