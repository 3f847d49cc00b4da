"""What a model computes for images, before a calibration makes an answer of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Outputs:
    """Of a batch, all float32; the mean over the views of each image."""

    probabilities: NDArray[np.float32]  # (B, classes), at temperature 1
    logits: NDArray[np.float32]  # (B, classes)
    features: NDArray[np.float32]  # (B, C), what the head reads
    texture: NDArray[np.float32]  # (B, D), the mean patch token after the first block, where little is recognized yet

    @staticmethod
    def joined(parts: "Sequence[Outputs]") -> "Outputs":
        """Those of several batches as those of one."""
        return Outputs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Outputs)))
