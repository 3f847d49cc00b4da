"""The distribution of feature vectors of ordinary images: one Gaussian per group, all with one covariance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Gaussians of groups of vectors of width C: one per class, or one for all vectors."""

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


def whitening_of(centered: Floats) -> Floats:
    """A matrix W (C, C) that gives `centered` @ W unit covariance, with Ledoit & Wolf's (2004) shrinkage."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centered.astype(np.float64), assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    # A direction without variance would get an infinite scale, so its variance has a lower limit.
    scales = 1 / np.sqrt(np.maximum(values, values.max() * 1e-6 + 1e-12))
    return np.asarray(vectors * scales, np.float32)
