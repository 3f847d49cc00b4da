"""What a model would gain by answering only where it is sure.

Selective classification (El-Yaniv & Wiener, "On the foundations of noise-free selective classification", Journal of
Machine Learning Research 11, 2010): the pictures in the order of the model's confidence, and the accuracy over the
surest share of them. A model whose confidence means something has a curve that rises towards the left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corolla.evaluation.metrics import Evaluation


@dataclass(frozen=True, eq=False)
class Selective:
    """One point for each confidence that occurs, from the surest to the least sure; all of shape (points,)."""

    confidence: NDArray[np.float64]  # the least that is still answered
    share: NDArray[np.float64]  # of the pictures that are answered then
    accuracy: NDArray[np.float64]  # over those

    def share_at(self, accuracy: float) -> float:
        """The largest share of pictures that could be answered with at least this accuracy; 0 if none."""
        enough = self.share[self.accuracy >= accuracy]
        return float(enough.max()) if enough.size else 0.0

    @property
    def mean_risk(self) -> float:
        """The area under the curve of 1 - accuracy over the share (AURC, Geifman et al. 2019, arXiv 1805.08206)."""
        widths = np.diff(self.share, prepend=0.0)
        return float(((1 - self.accuracy) * widths).sum())


def selective(evaluation: Evaluation) -> Selective:
    """The curve of an evaluation; equally sure answers are answered together."""
    order = np.argsort(-evaluation.confidence, kind="stable")
    confidence = evaluation.confidence[order].astype(np.float64)
    right = np.cumsum(evaluation.correct[order])
    last = np.flatnonzero(np.diff(confidence, append=-1.0))
    answered = last + 1
    return Selective(confidence[last], answered / evaluation.n, right[last] / answered)
