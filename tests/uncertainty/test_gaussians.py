"""The distance is Mahalanobis's, and does no harm where there is little to measure it by."""

import numpy as np
import pytest

from corolla.uncertainty.gaussians import Gaussians, whitening_of

GROUPS, WIDTH = 3, 6


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of three clouds that share a covariance, and the cloud of each."""
    dice = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(0, 6, (GROUPS, WIDTH))
    mix = np.eye(WIDTH) + np.random.default_rng(98).normal(0, 0.2, (WIDTH, WIDTH))
    groups = np.arange(n) % GROUPS
    return (centers[groups] + dice.normal(size=(n, WIDTH)) @ mix).astype(np.float32), groups


@pytest.fixture(scope="module")
def gaussians() -> Gaussians:
    return Gaussians.fit(*clouds(3000, 0), GROUPS)


def test_the_distance_is_mahalanobis_to_the_nearest_mean(gaussians: Gaussians) -> None:
    vectors, groups = clouds(3000, 0)
    means = np.stack([vectors[groups == group].mean(axis=0) for group in range(GROUPS)])
    inverse = np.linalg.inv(np.cov((vectors - means[groups]).T, bias=True))
    new, _ = clouds(30, 5)
    apart = new[:, None] - means
    expected = np.einsum("nkc,cd,nkd->nk", apart, inverse, apart).min(axis=1)
    np.testing.assert_allclose(gaussians.distance(new), expected, rtol=0.05)


def test_whitened_vectors_have_unit_covariance() -> None:
    vectors = clouds(3000, 0)[0]
    centered = vectors - vectors.mean(axis=0)
    np.testing.assert_allclose(np.cov((centered @ whitening_of(centered)).T, bias=True), np.eye(WIDTH), atol=0.05)


def test_a_group_without_vectors_is_never_the_nearest() -> None:
    vectors, groups = clouds(300, 0)
    gaussians = Gaussians.fit(vectors[groups != 1], groups[groups != 1], GROUPS)
    assert np.isfinite(gaussians.distance(vectors)).all()


def test_a_direction_that_never_changes_does_no_harm() -> None:
    vectors, groups = clouds(100, 0)
    vectors[:, 2] = 1.0
    assert np.isfinite(Gaussians.fit(vectors, groups, GROUPS).distance(vectors)).all()
