"""How unlike the pictures it learned from a picture is: what is none of the classes should not be answered as one.

Two scores, each larger for stranger pictures. Which one suits a model is found out on validation pictures and on
damaged ones (`outliers.py`), never on the kinds that are reported.

- `energy`: -log sum exp(logits) (Liu et al. 2020, arXiv 2010.03759, eq. 4 at T = 1);
- `distance`: the squared Mahalanobis distance of the head's input to the nearest class (Lee et al. 2018, arXiv
  1807.03888, eq. 2), the classes sharing one covariance.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["energy", "distance"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KEPT = 0.95  # share of the validation pictures that are accepted
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """The head's inputs of the training pictures: a Gaussian for each class, all with one covariance."""

    means: Floats  # (classes, C)
    whitening: Floats  # (C, C): (f - mean) whitening has unit covariance

    @staticmethod
    def fit(features: Floats, labels: NDArray[np.int64], classes: int) -> "Gaussians":
        """From features (n, C) and the places of their classes; a class without pictures is never the nearest."""
        means = np.full((classes, features.shape[1]), np.inf, np.float32)
        for label in np.unique(labels):
            means[label] = features[labels == label].mean(axis=0)
        return Gaussians(means, whitening_of(features - means[labels]))

    def distance(self, features: Floats) -> Floats:
        """The squared distance (n,) of features (n, C) to the nearest class."""
        whitened, near = features @ self.whitening, np.full(len(features), np.inf, np.float32)
        for centre in self.centres:
            near = np.minimum(near, np.square(whitened - centre).sum(axis=1))
        return near

    @cached_property
    def centres(self) -> Floats:
        """The whitened means (classes with pictures, C): one product here saves one for each class and batch."""
        return np.asarray(self.means[np.isfinite(self.means).all(axis=1)] @ self.whitening, np.float32)


@dataclass(frozen=True, eq=False)
class Novelty:
    """One score, on a scale where 0 is the median of the validation pictures and 1 the most that is accepted."""

    kind: Kind
    median: float
    border: float
    gaussians: Gaussians | None = None  # None for the energy

    @staticmethod
    def fit(kind: Kind, features: Floats, logits: Floats, gaussians: Gaussians) -> "Novelty":
        """On features (n, C) and logits (n, classes) of validation pictures; 95 % of them are accepted."""
        raw = raw_score(kind, features, logits, gaussians)
        median, border = float(np.median(raw)), float(np.quantile(raw, KEPT, method="higher"))
        # All alike: whatever is stranger is strange, and the scale is as good as any.
        border = max(border, float(np.nextafter(np.float32(median), np.float32(np.inf))))
        return Novelty(kind, median, border, None if kind == "energy" else gaussians)

    def score(self, features: Floats, logits: Floats) -> Floats:
        """The novelty (n,) of pictures by features (n, C) and logits (n, classes); above 1 is not accepted."""
        raw = raw_score(self.kind, features, logits, self.gaussians)
        return np.asarray((raw - self.median) / (self.border - self.median), np.float32)


def raw_score(kind: Kind, features: Floats, logits: Floats, gaussians: Gaussians | None) -> Floats:
    """The score (n,) on its own scale."""
    if kind == "energy":
        most = logits.max(axis=1)
        return np.asarray(-(most + np.log(np.exp(logits - most[:, None]).sum(axis=1))), np.float32)
    if gaussians is None:
        raise ValueError("the distance needs the Gaussians of the training pictures")
    return gaussians.distance(features)


def whitening_of(centred: Floats) -> Floats:
    """A matrix W (C, C) for which `centred` @ W has unit covariance, shrunk as Ledoit & Wolf (2004) do for few rows."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centred.astype(np.float64), assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    # A direction without any spread says nothing about a picture unless it had some.
    scales = 1 / np.sqrt(np.maximum(values, values.max() * 1e-6 + 1e-12))
    return np.asarray(vectors * scales, np.float32)
