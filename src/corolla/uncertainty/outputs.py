"""A model's raw outputs for images, before calibration."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of a batch, all float32; each the mean over an image and, if used, its horizontal flip."""

    probabilities: NDArray[np.float32]  # (B, classes), at temperature 1
    logits: NDArray[np.float32]  # (B, classes)
    features: NDArray[np.float32]  # (B, C), the head's input
    texture: NDArray[np.float32]  # (B, D), the mean patch token after the first block, a low-level feature

    @staticmethod
    def joined(parts: "Sequence[Outputs]") -> "Outputs":
        """The concatenated outputs of several batches."""
        return Outputs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Outputs)))
