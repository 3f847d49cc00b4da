"""Scores of novelty: their definitions, their scale, and that strange inputs get high ones."""

import numpy as np
import pytest

from corolla.trust.novelty import KEPT, KINDS, Gaussians, Kind, Novelty, raw_score, whitening_of

CLASSES, WIDTH = 3, 6


def inputs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of three clouds with a covariance of their own, logits that fit them, and the labels."""
    dice = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 6, (CLASSES, WIDTH))
    mix = np.eye(WIDTH) + np.random.default_rng(98).normal(0, 0.2, (WIDTH, WIDTH))
    labels = np.arange(n) % CLASSES
    features = centres[labels] + dice.normal(size=(n, WIDTH)) @ mix
    logits = -np.square(features[:, None] - centres).sum(axis=2) / 20 + 10
    return features.astype(np.float32), logits.astype(np.float32), labels


@pytest.fixture(scope="module")
def gaussians() -> Gaussians:
    features, _, labels = inputs(3000, 0)
    return Gaussians.fit(features, labels, CLASSES)


def test_the_distance_is_mahalanobis_to_the_nearest_class(gaussians: Gaussians) -> None:
    features, _, labels = inputs(3000, 0)
    centred = np.concatenate([features[labels == k] - features[labels == k].mean(axis=0) for k in range(CLASSES)])
    inverse = np.linalg.inv(np.cov(centred.T, bias=True))
    new, _, _ = inputs(30, 5)
    apart = new[:, None] - np.stack([features[labels == k].mean(axis=0) for k in range(CLASSES)])
    expected = np.einsum("nkc,cd,nkd->nk", apart, inverse, apart).min(axis=1)
    np.testing.assert_allclose(gaussians.distance(new), expected, rtol=0.05)


def test_whitened_features_have_unit_covariance() -> None:
    features = inputs(3000, 0)[0]
    centred = features - features.mean(axis=0)
    np.testing.assert_allclose(np.cov((centred @ whitening_of(centred)).T, bias=True), np.eye(WIDTH), atol=0.05)


def test_the_energy_by_hand(gaussians: Gaussians) -> None:
    logits = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]], np.float32)
    found = raw_score("energy", np.zeros((2, WIDTH), np.float32), logits, gaussians)
    np.testing.assert_allclose(found, [-np.log(3), -100], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_its_scale_and_what_it_accepts(kind: Kind, gaussians: Gaussians) -> None:
    features, logits, _ = inputs(400, 1)
    novelty = Novelty.fit(kind, features, logits, gaussians)
    scores = novelty.score(features, logits)
    assert np.median(scores) == pytest.approx(0, abs=1e-3)
    assert KEPT <= (scores <= 1).mean() <= KEPT + 0.01
    fresh = novelty.score(*inputs(2000, 2)[:2])
    assert (fresh <= 1).mean() == pytest.approx(KEPT, abs=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_far_from_every_class_is_strange(kind: Kind, gaussians: Gaussians) -> None:
    novelty = Novelty.fit(kind, *inputs(400, 1)[:2], gaussians)
    features = np.random.default_rng(3).normal(0, 40, (200, WIDTH)).astype(np.float32)
    centres = np.random.default_rng(99).normal(0, 6, (CLASSES, WIDTH))
    logits = (-np.square(features[:, None] - centres).sum(axis=2) / 20 + 10).astype(np.float32)
    assert (novelty.score(features, logits) > 1).mean() > 0.95


def test_a_class_without_pictures_is_never_the_nearest() -> None:
    features, _, labels = inputs(300, 0)
    some = labels != 1
    gaussians = Gaussians.fit(features[some], labels[some], CLASSES)
    assert np.isfinite(gaussians.distance(features)).all()


def test_features_that_never_change_do_no_harm() -> None:
    features, logits, labels = inputs(100, 0)
    features[:, 2] = 1.0
    gaussians = Gaussians.fit(features, labels, CLASSES)
    assert np.isfinite(Novelty.fit("distance", features, logits, gaussians).score(features, logits)).all()
    alike = np.ones((50, WIDTH), np.float32)
    novelty = Novelty.fit("energy", alike, np.ones((50, CLASSES), np.float32), gaussians)
    assert (novelty.score(alike, np.ones((50, CLASSES), np.float32)) <= 1).all()
