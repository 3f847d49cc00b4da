"""Where vectors of ordinary images lie: a Gaussian for each group of them, all with one covariance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Groups of vectors of width C: the classes', or one group of all."""

    means: Floats  # (groups, C)
    whitening: Floats  # (C, C): (vector - mean) whitening has unit covariance

    @staticmethod
    def fit(vectors: Floats, groups: NDArray[np.int64], count: int) -> "Gaussians":
        """From vectors (n, C) and the group, 0 to count - 1, of each; a group without vectors is never the nearest."""
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
        """The whitened means (groups with vectors, C): one product here saves one for each group and batch."""
        return np.asarray(self.means[np.isfinite(self.means).all(axis=1)] @ self.whitening, np.float32)


def whitening_of(centered: Floats) -> Floats:
    """A matrix W (C, C) that gives `centered` @ W unit covariance, shrunk as Ledoit & Wolf (2004) do for few rows."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centered.astype(np.float64), assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    # A direction without any spread says nothing about an image unless it had some.
    scales = 1 / np.sqrt(np.maximum(values, values.max() * 1e-6 + 1e-12))
    return np.asarray(vectors * scales, np.float32)
