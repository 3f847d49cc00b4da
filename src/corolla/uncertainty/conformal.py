"""Split conformal prediction: sets of classes that contain the true class with a given probability (coverage).

Vovk, Gammerman & Shafer, "Algorithmic learning in a random world" (2005); the score is from Sadinle, Lei & Wasserman,
"Least ambiguous set-valued classifiers" (JASA 114, 2019, arXiv 1609.00451): 1 minus the probability of the class. Of
all sets with the same coverage theirs are the smallest on average. The coverage is marginal: it holds over all images
like the validation images, and not for each class or each image.
"""

from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError

MOST_KEPT = 2000  # saved scores; of more images, scores at evenly spaced ranks, each rounded to the safe side


def refuse_coverage(coverage: float, *, calibrated: bool) -> None:
    """`CorollaError` for a coverage outside (0, 1), or if the predictor is not calibrated."""
    if not 0 < coverage < 1:
        raise CorollaError(f"a coverage lies between 0 and 1, such as 0.95, and cannot be {coverage:g}")
    if not calibrated:
        raise CorollaError("a coverage needs a calibrated run; calibrate it with: corolla calibrate RUN")


@dataclass(frozen=True, eq=False)
class Conformal:
    """Scores of `n` validation images, all or evenly spaced ones, ascending, each with its rank from 1 to n."""

    n: int
    ranks: NDArray[np.int64]
    scores: NDArray[np.float32]

    @staticmethod
    def fit(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> "Conformal":
        """From calibrated probabilities (n, classes) of labeled images that the model was not trained on."""
        n = len(labels)
        scores = np.sort(1 - probabilities[np.arange(n), labels])
        steps = min(n, MOST_KEPT)
        ranks = np.ceil(np.arange(1, steps + 1) * n / steps).astype(np.int64)
        return Conformal(n, ranks, scores[ranks - 1].astype(np.float32))

    @staticmethod
    def restored(n: Any, ranks: NDArray[Any], scores: NDArray[Any]) -> "Conformal":
        """From the arrays of a file, which may be invalid; ValueError if they are not ascending scores."""
        if (
            ranks.ndim != 1
            or ranks.shape != scores.shape
            or not len(ranks)
            or ranks.dtype != np.int64
            or scores.dtype != np.float32
            or ranks[-1] != n
            or (np.diff(ranks) <= 0).any()
            or not (np.diff(scores) >= 0).all()
            or not ((scores >= -1e-6) & (scores <= 1 + 1e-6)).all()
        ):
            raise ValueError("its scores are not ascending scores of validation images")
        return Conformal(int(n), ranks, scores)

    def largest(self, coverage: float) -> float:
        """The largest score that belongs to a set; infinite if there are too few images for this coverage.

        It is the score of rank ceil((n + 1) coverage), which gives exact coverage with finitely many images.
        ValueError unless 0 < coverage < 1.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"a coverage lies between 0 and 1, such as 0.95, and cannot be {coverage}")
        needed = ceil((self.n + 1) * coverage)
        place = int(np.searchsorted(self.ranks, needed))
        return float(self.scores[place]) if place < len(self.ranks) else inf

    def sets(self, probabilities: NDArray[np.float32], coverage: float) -> NDArray[np.bool_]:
        """The members of each image's prediction set: (n, classes) from calibrated probabilities.

        A set may be empty, if no class is probable enough, and may contain every class.
        """
        return np.asarray(1 - probabilities <= self.largest(coverage), np.bool_)
