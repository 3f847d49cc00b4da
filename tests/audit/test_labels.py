"""Confident learning: by hand on few images, and against cleanlab on many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.audit.labels import (
    LabelCheck,
    confident_classes,
    confident_joint,
    margins,
    pairs,
    suspicious,
    thresholds,
)  # fmt: skip

LABELS = np.array([0, 0, 0, 1, 1, 1])
PRED_PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45]])


def noisy(seed: int, n: int = 600, classes: int = 4, share: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities of a network that is right more often than not, and which labels were made wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 3 * np.eye(classes)[true] + np.linspace(0, 1, classes)
    pred_probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.random(n) < share
    labels = np.where(wrong, (true + rng.integers(1, classes, n)) % classes, true)
    return labels, pred_probs, wrong


def test_by_hand() -> None:
    # t_0 = (0.9 + 0.8 + 0.1) / 3 = 0.6, t_1 = (0.7 + 0.8 + 0.45) / 3 = 0.65
    np.testing.assert_allclose(thresholds(LABELS, PRED_PROBS), [0.6, 0.65])
    assert confident_classes(LABELS, PRED_PROBS).tolist() == [0, 0, 1, 1, 1, -1]
    assert confident_joint(LABELS, PRED_PROBS).tolist() == [[2, 1], [0, 2]]
    np.testing.assert_allclose(margins(LABELS, PRED_PROBS), [0.8, 0.6, -0.8, 0.4, 0.6, -0.1])
    assert suspicious(LABELS, PRED_PROBS).tolist() == [False, False, True, False, False, False]


def test_an_image_that_reaches_several_thresholds_counts_for_the_likeliest() -> None:
    labels = np.array([0, 1, 2, 2])
    pred_probs = np.array([[0.4, 0.35, 0.25], [0.35, 0.4, 0.25], [0.42, 0.41, 0.17], [0.1, 0.1, 0.8]])
    assert thresholds(labels, pred_probs)[:2].tolist() == [0.4, 0.4]
    assert confident_classes(labels, pred_probs).tolist() == [0, 1, 0, 2]


def test_a_class_without_labels_is_never_counted_for() -> None:
    pred_probs = np.array([[0.1, 0.2, 0.7], [0.2, 0.7, 0.1]])
    assert confident_joint(np.array([0, 1]), pred_probs)[:, 2].tolist() == [0, 0, 0]


def test_equal_probabilities_reach_their_own_mean() -> None:
    labels = np.zeros(10, np.int64)
    pred_probs = np.tile([1 / 3, 2 / 3], (10, 1))
    assert confident_classes(labels, pred_probs).tolist() == [0] * 10


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_come_first(seed: int) -> None:
    labels, pred_probs, wrong = noisy(seed)
    first = np.argsort(margins(labels, pred_probs))[: wrong.sum()]
    assert wrong[first].mean() > 0.75
    assert wrong[suspicious(labels, pred_probs)].mean() > 0.6


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 7), share=st.floats(0, 0.4))
def test_it_agrees_with_cleanlab(seed: int, classes: int, share: float) -> None:
    from cleanlab.count import compute_confident_joint, get_confident_thresholds
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, pred_probs, _ = noisy(seed, 300, classes, share)
    np.testing.assert_allclose(thresholds(labels, pred_probs), get_confident_thresholds(labels, pred_probs))
    theirs = compute_confident_joint(labels, pred_probs, calibrate=False)
    ours = confident_joint(labels, pred_probs)
    np.fill_diagonal(ours, ours.diagonal().clip(min=1))  # cleanlab counts one image at least
    assert ours.tolist() == theirs.tolist()
    scores = get_label_quality_scores(labels, pred_probs, method="normalized_margin")
    np.testing.assert_allclose((margins(labels, pred_probs) + 1) / 2, scores)
    found = find_label_issues(labels, pred_probs, filter_by="confident_learning", n_jobs=1)
    assert suspicious(labels, pred_probs).tolist() == found.tolist()


def check(labels: np.ndarray, pred_probs: np.ndarray) -> LabelCheck:
    names = tuple("abcdefg"[: pred_probs.shape[1]])
    return LabelCheck("w", names, tuple(f"{n}.jpg" for n in range(len(labels))), labels, pred_probs, 5, (("z", 2),))


def test_suspects_are_named_the_most_suspicious_first() -> None:
    labels, pred_probs, _ = noisy(0)
    found = check(labels, pred_probs)
    rank = {found.paths[place]: order for order, place in enumerate(found.ranking)}
    assert [rank[suspect.path] for suspect in found.suspects] == sorted(rank[s.path] for s in found.suspects)
    assert len(found.suspects) == suspicious(labels, pred_probs).sum()
    first = found.suspects[0]
    place = int(first.path.removesuffix(".jpg"))
    assert (first.given, first.suggested) == (found.classes[labels[place]], found.classes[pred_probs[place].argmax()])
    assert first.given_probability == pred_probs[place, labels[place]]
    assert first.suggested_probability == pred_probs[place].max()
    assert found.agreement == (pred_probs.argmax(axis=1) == labels).mean()
    counted = pairs(found.suspects)
    assert sum(times for _, _, times in counted) == len(found.suspects)
    assert [times for _, _, times in counted] == sorted((times for _, _, times in counted), reverse=True)


def test_json() -> None:
    said = check(LABELS, PRED_PROBS).to_json()
    assert said["confident_joint"] == [[2, 1], [0, 2]]
    assert said["passed_over"] == [{"label": "z", "sets": 2}]
    assert said["suspects"] == [
        {"path": "2.jpg", "given": "a", "suggested": "b", "given_probability": 0.1, "suggested_probability": 0.9}
    ]
