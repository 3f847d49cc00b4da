"""OOD scores: their definitions, their scale, that strange images get high ones; the Mahalanobis distance."""

import numpy as np
import pytest

from corolla.uncertainty.ood import (
    KEPT,
    KINDS,
    Gaussians,
    Kind,
    OODDetector,
    Outputs,
    Scale,
    Score,
    mixtures,
    raw_score,
    whitening_of,
)

CLASSES, WIDTH, TOKEN = 3, 6, 4
CENTERS = np.random.default_rng(99).normal(0, 6, (CLASSES, WIDTH))


def outputs_of(features: np.ndarray, texture: np.ndarray) -> Outputs:
    logits = -np.square(features[:, None] - CENTERS).sum(axis=2) / 20 + 10
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    arrays = (shares / shares.sum(axis=1, keepdims=True), logits, features, texture)
    return Outputs(*(array.astype(np.float32) for array in arrays))


def ordinary(n: int, seed: int) -> Outputs:
    """Three clouds of features, one of textures."""
    rng = np.random.default_rng(seed)
    return outputs_of(CENTERS[labels(n)] + rng.normal(size=(n, WIDTH)), rng.normal(size=(n, TOKEN)))


def labels(n: int) -> np.ndarray:
    return np.arange(n) % CLASSES


def fitted(kinds: tuple[Kind, ...], known: Outputs) -> OODDetector:
    return OODDetector.fit([Score.fit(kind, ordinary(900, 0), labels(900), known) for kind in kinds], known)


def test_the_energy_by_hand() -> None:
    logits = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]], np.float32)
    found = raw_score("energy", Outputs(logits, logits, logits, logits), None)
    np.testing.assert_allclose(found, [-np.log(3), -100], rtol=1e-5)


def test_a_mean_of_scores_by_hand() -> None:
    known, new = ordinary(400, 1), ordinary(20, 2)
    parts = [fitted((kind,), known).score(new) for kind in ("energy", "texture")]
    both = fitted(("energy", "texture"), known)
    np.testing.assert_allclose(both.score(new), both.scale(np.mean(parts, axis=0)), rtol=1e-4, atol=1e-5)


def test_every_mixture_once_and_the_simple_ones_first() -> None:
    sizes = [len(mixture) for mixture in mixtures(KINDS)]
    assert sizes == sorted(sizes)
    assert len(set(mixtures(KINDS))) == len(sizes) == 2 ** len(KINDS) - 1


@pytest.mark.parametrize("kinds", mixtures(KINDS))
def test_its_scale_and_what_it_accepts(kinds: tuple[Kind, ...]) -> None:
    known = ordinary(400, 1)
    detector = fitted(kinds, known)
    scores = detector.score(known)
    assert np.median(scores) == pytest.approx(0, abs=1e-3)
    assert KEPT <= (scores <= 1).mean() <= KEPT + 0.01
    assert (detector.score(ordinary(2000, 2)) <= 1).mean() == pytest.approx(KEPT, abs=0.04)


@pytest.mark.parametrize("kinds", mixtures(KINDS))
def test_what_is_far_from_every_class_is_strange(kinds: tuple[Kind, ...]) -> None:
    rng = np.random.default_rng(3)
    strange = outputs_of(rng.normal(0, 40, (200, WIDTH)), rng.normal(0, 40, (200, TOKEN)))
    assert (fitted(kinds, ordinary(400, 1)).score(strange) > 1).mean() > 0.95


def test_a_strange_texture_alone_is_seen_by_the_texture_alone() -> None:
    known, usual = ordinary(400, 1), ordinary(200, 2)
    strange = outputs_of(usual.features, usual.texture + 30)
    texture, distance = fitted(("texture",), known), fitted(("distance",), known)
    assert (texture.score(strange) > 1).all()
    np.testing.assert_array_equal(distance.score(strange), distance.score(usual))


def test_scores_that_are_all_alike_accept_what_they_were_fitted_on() -> None:
    alike = np.full(50, 3.0, np.float32)
    assert (Scale.fit(alike)(alike) <= 1).all()
    assert (Scale.fit(alike)(alike + 1) > 1).all()


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of three clouds that share a covariance, and the cloud of each."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(0, 6, (CLASSES, WIDTH))
    mix = np.eye(WIDTH) + np.random.default_rng(98).normal(0, 0.2, (WIDTH, WIDTH))
    groups = np.arange(n) % CLASSES
    return (centers[groups] + rng.normal(size=(n, WIDTH)) @ mix).astype(np.float32), groups


@pytest.fixture(scope="module")
def gaussians() -> Gaussians:
    return Gaussians.fit(*clouds(3000, 0), CLASSES)


def test_the_distance_is_mahalanobis_to_the_nearest_mean(gaussians: Gaussians) -> None:
    vectors, groups = clouds(3000, 0)
    means = np.stack([vectors[groups == group].mean(axis=0) for group in range(CLASSES)])
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
    gaussians = Gaussians.fit(vectors[groups != 1], groups[groups != 1], CLASSES)
    assert np.isfinite(gaussians.distance(vectors)).all()


def test_a_direction_that_never_changes_does_no_harm() -> None:
    vectors, groups = clouds(100, 0)
    vectors[:, 2] = 1.0
    assert np.isfinite(Gaussians.fit(vectors, groups, CLASSES).distance(vectors)).all()
