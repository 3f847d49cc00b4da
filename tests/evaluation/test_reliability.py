"""Calibration error, Brier score and coverage by hand and against their definitions."""

import numpy as np
import pytest

from corolla.evaluation.reliability import brier, ece, measure_trust, reliability
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.novelty import Novelty, Score
from corolla.uncertainty.outputs import Outputs


def rows(*confidences: float) -> np.ndarray:
    return np.array([[value, 1 - value] for value in confidences], np.float32)


def test_bins_and_error_by_hand() -> None:
    bins = reliability(rows(0.95, 0.95, 0.65, 0.65), np.array([0, 1, 0, 0]))
    assert [(each.n, each.accuracy) for each in bins] == [(2, 1.0), (2, 0.5)]
    assert [each.confidence for each in bins] == pytest.approx([0.65, 0.95])
    assert ece(bins) == pytest.approx((2 * 0.35 + 2 * 0.45) / 4)
    assert all(each.low < each.confidence <= each.high for each in bins)


def test_a_sure_answer_lies_in_the_last_bin() -> None:
    [last] = reliability(rows(1.0), np.array([0]))
    assert (last.low, last.high) == (14 / 15, 1.0)


def test_brier_by_hand() -> None:
    assert brier(rows(0.8, 0.8), np.array([0, 1])) == pytest.approx((2 * 0.04 + 2 * 0.64) / 2)


def test_honest_probabilities_have_a_small_error_and_boasting_a_large_one() -> None:
    dice = np.random.default_rng(0)
    confidence = dice.uniform(0.5, 1.0, 20_000)
    labels = (dice.random(20_000) > confidence).astype(int)
    assert ece(reliability(rows(*confidence), labels)) < 0.02
    assert ece(reliability(rows(*np.minimum(confidence + 0.2, 1.0)), labels)) > 0.1


def test_trust_tells_before_and_after() -> None:
    dice = np.random.default_rng(1)
    probabilities = dice.dirichlet(np.ones(3), 300).astype(np.float32)
    labels = np.array([dice.choice(3, p=row / row.sum()) for row in probabilities.astype(float)])
    features = dice.normal(size=(300, 4)).astype(np.float32)
    known = Outputs(probabilities, np.log(probabilities), features, features)
    novelty = Novelty.fit([Score.fit("distance", known, labels, known)], known)
    calibration = Calibration(1.0, Conformal.fit(probabilities, labels), novelty, {})
    trust = measure_trust(probabilities, labels, novelty.score(known), calibration)
    assert trust.ece == trust.uncalibrated_ece == ece(reliability(probabilities, labels))
    assert trust.accepted == pytest.approx(0.95, abs=0.01)
    assert [each.promised for each in trust.coverages] == [0.8, 0.9, 0.95, 0.99]
    assert all(each.seen >= each.promised for each in trust.coverages)  # on what it was fitted on
    told = trust.to_json()
    assert told["coverages"][0]["promised"] == 0.8
    assert isinstance(told["bins"], list)
