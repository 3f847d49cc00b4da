"""How unlike the images it learned from an image is: what is none of the classes should not be answered as one.

Three scores, each larger for stranger images. Which of them, or which mean of several, suits a model is found out on
validation images and on damaged ones (`outliers.py`), never on the kinds that are reported.

- `energy`: -log sum exp(logits) (Liu et al. 2020, arXiv 2010.03759, eq. 4 at T = 1);
- `distance`: the squared Mahalanobis distance of the head's input to the nearest class (Lee et al. 2018, arXiv
  1807.03888, eq. 2), the classes sharing one covariance;
- `texture`: the same distance of the mean patch token after the first block to that of all training images together.
  A model that saw few images hears in its last layer only what tells its classes apart; colors and textures that no
  image of its had are still to be seen in its first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from corolla.trust.gaussians import Floats, Gaussians
from corolla.trust.outputs import Outputs

Kind = Literal["energy", "distance", "texture"]
KINDS: tuple[Kind, ...] = get_args(Kind)
T = TypeVar("T")
KEPT = 0.95  # share of the validation images that are accepted


@dataclass(frozen=True)
class Scale:
    """A scale where 0 is the median of the validation images and 1 the score that 95 % of them stay within."""

    median: float
    border: float

    @staticmethod
    def fit(scores: Floats) -> "Scale":
        """From the scores (n,) of validation images."""
        median, border = float(np.median(scores)), float(np.quantile(scores, KEPT, method="higher"))
        # All alike: whatever is stranger is strange, and the scale is as good as any.
        return Scale(median, max(border, float(np.nextafter(np.float32(median), np.float32(np.inf)))))

    def __call__(self, scores: Floats) -> Floats:
        """The scores on it."""
        return np.asarray((scores - self.median) / (self.border - self.median), np.float32)


@dataclass(frozen=True, eq=False)
class Score:
    """One of the three scores, and its scale."""

    kind: Kind
    scale: Scale
    gaussians: Gaussians | None = None  # None for the energy

    @staticmethod
    def fit(kind: Kind, trained: Outputs, labels: NDArray[np.int64], known: Outputs) -> "Score":
        """From training images with the places of their classes, and validation images."""
        gaussians = None
        if kind == "distance":
            gaussians = Gaussians.fit(trained.features, labels, trained.logits.shape[1])
        elif kind == "texture":
            gaussians = Gaussians.fit(trained.texture, np.zeros_like(labels), 1)
        return Score(kind, Scale.fit(raw_score(kind, known, gaussians)), gaussians)

    def __call__(self, outputs: Outputs) -> Floats:
        """The scores (n,) of images."""
        return self.scale(raw_score(self.kind, outputs, self.gaussians))


@dataclass(frozen=True, eq=False)
class Novelty:
    """The mean of one or several scores, on a scale of its own: above 1 is not accepted."""

    scores: tuple[Score, ...]
    scale: Scale

    @staticmethod
    def fit(scores: Sequence[Score], known: Outputs) -> "Novelty":
        """On validation images; 95 % of them are accepted."""
        return Novelty(tuple(scores), Scale.fit(mean_score(scores, known)))

    def score(self, outputs: Outputs) -> Floats:
        """The novelty (n,) of images."""
        return self.scale(mean_score(self.scores, outputs))

    @property
    def name(self) -> str:
        """Its scores in words: "energy and texture"."""
        return " and ".join(score.kind for score in self.scores)


def mixtures(scores: Sequence[T]) -> list[tuple[T, ...]]:
    """Each score, and each choice of several, fewest first."""
    return [chosen for size in range(1, len(scores) + 1) for chosen in combinations(scores, size)]


def mean_score(scores: Sequence[Score], outputs: Outputs) -> Floats:
    """The mean (n,) of the scores of images."""
    return np.asarray(np.mean([score(outputs) for score in scores], axis=0), np.float32)


def raw_score(kind: Kind, outputs: Outputs, gaussians: Gaussians | None) -> Floats:
    """The scores (n,) on their own scale."""
    if kind == "energy":
        most = outputs.logits.max(axis=1)
        return np.asarray(-(most + np.log(np.exp(outputs.logits - most[:, None]).sum(axis=1))), np.float32)
    if gaussians is None:
        raise ValueError(f"the {kind} needs the Gaussians of the training images")
    return gaussians.distance(outputs.features if kind == "distance" else outputs.texture)
