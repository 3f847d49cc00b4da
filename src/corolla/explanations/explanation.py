"""The explanation of one prediction: an attribution map over the patches of an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.explanations import Method


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
        from corolla.explanations.overlay import overlay

        return overlay(self.pixels, self.map)
