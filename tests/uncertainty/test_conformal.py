"""Sets of classes keep their promise, by hand, in simulation, and for few and for many images."""

from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.uncertainty.conformal import MOST_KEPT, Conformal


def drawn(n: int, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    probabilities = rng.dirichlet(np.full(classes, 0.4), n)
    # Labels that the probabilities are wrong about: the promise holds for any model.
    blurred = probabilities**0.5 / (probabilities**0.5).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in blurred])
    return probabilities.astype(np.float32), labels


def test_by_hand() -> None:
    rows = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    conformal = Conformal.fit(rows, np.array([0, 0, 1, 1]))  # scores 0.1, 0.2, 0.3, 0.6
    np.testing.assert_allclose(conformal.scores, [0.1, 0.2, 0.3, 0.6], rtol=1e-5)
    assert conformal.largest(0.8) == pytest.approx(0.6)  # rank ceil(5 * 0.8) = 4
    assert conformal.largest(0.5) == pytest.approx(0.3)  # rank 3
    assert conformal.largest(0.81) == inf  # four images cannot promise so much
    new = np.array([[0.75, 0.25], [0.5, 0.5], [0.71, 0.29]], np.float32)
    assert conformal.sets(new, 0.5).tolist() == [[True, False], [False, False], [True, False]]
    assert conformal.sets(new, 0.99).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_the_promise_is_kept_on_average_whatever_the_model(coverage: float) -> None:
    """Over many validations of 200 images; the exact expectation is ceil(201 c) / 201."""
    rng = np.random.default_rng(3)
    seen = []
    for _ in range(200):
        conformal = Conformal.fit(*drawn(200, 4, rng))
        probabilities, labels = drawn(100, 4, rng)
        seen.append(conformal.sets(probabilities, coverage)[np.arange(100), labels].mean())
    assert np.mean(seen) == pytest.approx(ceil(201 * coverage) / 201, abs=0.01)


def test_of_many_scores_some_are_kept_and_the_promise_only_grows() -> None:
    rng = np.random.default_rng(0)
    probabilities, labels = drawn(3 * MOST_KEPT + 7, 3, rng)
    conformal = Conformal.fit(probabilities, labels)
    assert len(conformal.scores) == MOST_KEPT
    assert (conformal.n, conformal.ranks[-1]) == (len(labels), len(labels))
    exact = np.sort(1 - probabilities[np.arange(len(labels)), labels])
    for coverage in (0.5, 0.9, 0.95, 0.999):
        rank = ceil((len(labels) + 1) * coverage)
        assert exact[rank - 1] <= conformal.largest(coverage) <= exact[min(rank + 3, len(exact) - 1)]


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_more_coverage_never_makes_a_set_smaller(n: int, one: float, other: float) -> None:
    rng = np.random.default_rng(n)
    conformal = Conformal.fit(*drawn(n, 3, rng))
    probabilities, _ = drawn(20, 3, rng)
    less, more = conformal.sets(probabilities, min(one, other)), conformal.sets(probabilities, max(one, other))
    assert (less <= more).all()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, float("nan")])
def test_what_is_no_coverage_is_refused(coverage: float) -> None:
    conformal = Conformal.fit(*drawn(20, 3, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        conformal.largest(coverage)
