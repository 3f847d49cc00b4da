"""Selective classification: the accuracy if the model predicts only its most confident images.

El-Yaniv & Wiener, "On the foundations of noise-free selective classification", Journal of Machine Learning Research
11, 2010: the images are sorted by the model's confidence, and the accuracy is computed over the most confident
fraction. If the confidence is informative, the curve rises towards the left.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLD = 10  # points of the curve that go into JSON


@dataclass(frozen=True, eq=False)
class Selective:
    """One point for each confidence that occurs, from the most to the least confident; all of shape (points,)."""

    confidence: NDArray[np.float64]  # the threshold
    share: NDArray[np.float64]  # the fraction of the images with at least this confidence (coverage)
    accuracy: NDArray[np.float64]  # over these images

    def share_at(self, accuracy: float) -> float:
        """The largest fraction of images with at least this accuracy; 0 if there is none."""
        enough = self.share[self.accuracy >= accuracy]
        return float(enough.max()) if enough.size else 0.0

    @property
    def mean_risk(self) -> float:
        """The area under the curve of 1 - accuracy over the fraction (AURC, Geifman et al. 2019, arXiv 1805.08206)."""
        widths = np.diff(self.share, prepend=0.0)
        return float(((1 - self.accuracy) * widths).sum())

    def to_json(self) -> dict[str, Any]:
        """As plain values: the mean risk, and the first point that covers each tenth of the images."""
        places = sorted({int(np.searchsorted(self.share, tenth / TOLD - 1e-9)) for tenth in range(1, TOLD + 1)})
        points = zip(self.share[places], self.confidence[places], self.accuracy[places], strict=True)
        return {
            "mean_risk": self.mean_risk,
            "points": [
                {"share": float(share), "confidence": float(confidence), "accuracy": float(accuracy)}
                for share, confidence, accuracy in points
            ],
        }


def selective(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> Selective:
    """The curve from each prediction's confidence (n,) and correctness; equal confidences form one point."""
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order].astype(np.float64)
    last = np.flatnonzero(np.diff(falling, append=-1.0))
    answered = last + 1
    return Selective(falling[last], answered / len(order), np.cumsum(correct[order])[last] / answered)
