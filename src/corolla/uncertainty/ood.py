"""Out-of-distribution (OOD) scores: an image of none of the classes should not be predicted as one of them.

Three scores, each larger for more unusual images. The best score for a model, or the best mean of several, is chosen
on validation images and on synthetic outliers (`outliers.py`), never on the kinds of OOD images that are reported.

- `energy`: -log sum exp(logits) (Liu et al. 2020, arXiv 2010.03759, eq. 4 at T = 1);
- `distance`: the squared Mahalanobis distance of the head's input to the nearest class (Lee et al. 2018, arXiv
  1807.03888, eq. 2), the classes sharing one covariance;
- `texture`: the same distance of the mean patch token after the first block, to the training images as one group.
  The last layer of a model trained on few images only has what separates its classes; unusual colors and textures are
  still visible in the first layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Kind = Literal["energy", "distance", "texture"]
KINDS: tuple[Kind, ...] = get_args(Kind)
T = TypeVar("T")
KEPT = 0.95  # fraction of the validation images that are accepted


@dataclass(frozen=True, eq=False)
class Outputs:
    """A model's raw outputs for a batch, before calibration, all float32.

    Each is the mean over an image and, if used, its horizontal flip.
    """

    probabilities: NDArray[np.float32]  # (B, classes), at temperature 1
    logits: NDArray[np.float32]  # (B, classes)
    features: NDArray[np.float32]  # (B, C), the head's input
    texture: NDArray[np.float32]  # (B, D), the mean patch token after the first block, a low-level feature

    @staticmethod
    def joined(parts: "Sequence[Outputs]") -> "Outputs":
        """The concatenated outputs of several batches."""
        return Outputs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Outputs)))


@dataclass(frozen=True)
class Scale:
    """A scale where 0 is the median of the validation images and 1 their 95 % quantile."""

    median: float
    border: float

    @staticmethod
    def fit(scores: Floats) -> "Scale":
        """From the scores (n,) of validation images."""
        median, border = float(np.median(scores)), float(np.quantile(scores, KEPT, method="higher"))
        # If all scores are equal, any larger score is rejected and the scale is arbitrary.
        return Scale(median, max(border, float(np.nextafter(np.float32(median), np.float32(np.inf)))))

    def __call__(self, scores: Floats) -> Floats:
        """The scores on this scale."""
        return np.asarray((scores - self.median) / (self.border - self.median), np.float32)


@dataclass(frozen=True, eq=False)
class Gaussians:
    """The feature vectors of ordinary images, of width C: a Gaussian per class or one for all, with one covariance."""

    means: Floats  # (groups, C)
    whitening: Floats  # (C, C): (vector - mean) whitening has unit covariance

    @staticmethod
    def fit(vectors: Floats, groups: NDArray[np.int64], count: int) -> "Gaussians":
        """From vectors (n, C) and their groups, 0 to count - 1; a group without vectors is never the nearest."""
        means = np.full((count, vectors.shape[1]), np.inf, np.float32)
        for group in np.unique(groups):
            means[group] = vectors[groups == group].mean(axis=0)
        return Gaussians(means, whitening_of(vectors - means[groups]))

    def distance(self, vectors: Floats) -> Floats:
        """The squared Mahalanobis distance (n,) of vectors (n, C) to the nearest mean."""
        whitened, near = vectors @ self.whitening, np.full(len(vectors), np.inf, np.float32)
        for center in self.centers:
            near = np.minimum(near, np.square(whitened - center).sum(axis=1))
        return near

    @cached_property
    def centers(self) -> Floats:
        """The whitened means (groups with vectors, C): one matmul here saves one per group and batch."""
        return np.asarray(self.means[np.isfinite(self.means).all(axis=1)] @ self.whitening, np.float32)


@dataclass(frozen=True, eq=False)
class Score:
    """One of the three scores, and its scale."""

    kind: Kind
    scale: Scale
    gaussians: Gaussians | None = None  # None for the energy

    @staticmethod
    def fit(kind: Kind, trained: Outputs, labels: NDArray[np.int64], known: Outputs) -> "Score":
        """From training images with their class numbers, and validation images."""
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
class OODDetector:
    """The OOD score: the mean of one or several scores, on its own scale; above 1 an image is rejected."""

    scores: tuple[Score, ...]
    scale: Scale

    @staticmethod
    def fit(scores: Sequence[Score], known: Outputs) -> "OODDetector":
        """From validation images; 95 % of them are accepted."""
        return OODDetector(tuple(scores), Scale.fit(mean_score(scores, known)))

    def score(self, outputs: Outputs) -> Floats:
        """The OOD score (n,) of images."""
        return self.scale(mean_score(self.scores, outputs))

    @property
    def name(self) -> str:
        """Its scores in words: "energy and texture"."""
        return " and ".join(score.kind for score in self.scores)


def mixtures(scores: Sequence[T]) -> list[tuple[T, ...]]:
    """Every non-empty combination of the scores, fewest first."""
    return [chosen for size in range(1, len(scores) + 1) for chosen in combinations(scores, size)]


def mean_score(scores: Sequence[Score], outputs: Outputs) -> Floats:
    """The mean (n,) of the scores of images."""
    return np.asarray(np.mean([score(outputs) for score in scores], axis=0), np.float32)


def raw_score(kind: Kind, outputs: Outputs, gaussians: Gaussians | None) -> Floats:
    """The unscaled scores (n,)."""
    if kind == "energy":
        most = outputs.logits.max(axis=1)
        return np.asarray(-(most + np.log(np.exp(outputs.logits - most[:, None]).sum(axis=1))), np.float32)
    if gaussians is None:
        raise ValueError(f"the {kind} needs the Gaussians of the training images")
    return gaussians.distance(outputs.features if kind == "distance" else outputs.texture)


def whitening_of(centered: Floats) -> Floats:
    """A matrix W (C, C) that gives `centered` @ W unit covariance, with Ledoit & Wolf's (2004) shrinkage."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centered.astype(np.float64), assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    # A direction without variance would get an infinite scale, so its variance has a lower limit.
    scales = 1 / np.sqrt(np.maximum(values, values.max() * 1e-6 + 1e-12))
    return np.asarray(vectors * scales, np.float32)
