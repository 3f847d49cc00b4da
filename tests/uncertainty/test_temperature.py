"""A temperature makes probabilities honest and never changes an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.uncertainty.temperature import LEAST, MOST, apply_temperature, fit_temperature


def answers(n: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), n).astype(np.float32)


def drawn(probabilities: np.ndarray, seed: int) -> np.ndarray:
    """A label for each row with just the probabilities that it says."""
    return np.array(
        [
            np.random.default_rng((seed, k)).choice(len(row), p=row / row.sum())
            for k, row in enumerate(probabilities.astype(float))
        ]
    )


@given(st.floats(0.1, 10.0), st.integers(0, 1000))
def test_it_keeps_order_and_sum_and_undoes_itself(temperature: float, seed: int) -> None:
    before = np.maximum(answers(20, 4, seed), 1e-3)
    before /= before.sum(axis=1, keepdims=True)
    after = apply_temperature(before, temperature)
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-5)
    assert (np.argsort(after, axis=1, kind="stable") == np.argsort(before, axis=1, kind="stable")).mean() > 0.95
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    if 0.5 < temperature < 2:
        np.testing.assert_allclose(apply_temperature(after, 1 / temperature), before, rtol=1e-3, atol=1e-5)


def test_it_is_the_softmax_of_divided_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 6))
    soft = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (logits, logits / 1.7)]
    np.testing.assert_allclose(apply_temperature(soft[0].astype(np.float32), 1.7), soft[1], rtol=1e-4)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_lost_is_found(true: float) -> None:
    """Answers made surer or less sure than the labels were drawn with get their own temperature back."""
    honest = answers(4000, 5)
    labels = drawn(honest, 1)
    assert fit_temperature(apply_temperature(honest, 1 / true), labels) == pytest.approx(true, rel=0.1)


def test_it_lowers_the_log_loss_of_what_it_was_fitted_on() -> None:
    said, labels = apply_temperature(answers(500, 3), 0.3), drawn(answers(500, 3), 2)
    loss = [
        -np.log(p[np.arange(500), labels]).mean()
        for p in (said, apply_temperature(said, fit_temperature(said, labels)))
    ]
    assert loss[1] < loss[0]


def test_answers_that_are_all_right_or_by_chance_stay_within_bounds() -> None:
    sure = np.tile(np.array([[0.9, 0.1]], np.float32), (30, 1))
    assert LEAST <= fit_temperature(sure, np.zeros(30, np.int64)) < 2 * LEAST
    assert MOST / 2 < fit_temperature(sure, np.arange(30) % 2) <= MOST
    plain_zero = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert np.isfinite(fit_temperature(plain_zero, np.array([1, 1])))
    assert np.isfinite(apply_temperature(plain_zero, 0.5)).all()
