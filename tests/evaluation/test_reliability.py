"""Calibration error, Brier score and coverage by hand and against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.evaluation.reliability import Selective, brier, ece, measure_trust, reliability, selective
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.ood import OODDetector, Outputs, Score


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
    detector = OODDetector.fit([Score.fit("distance", known, labels, known)], known)
    calibration = Calibration(1.0, Conformal.fit(probabilities, labels), detector, {})
    trust = measure_trust(probabilities, labels, detector.score(known), calibration)
    assert trust.ece == trust.uncalibrated_ece == ece(reliability(probabilities, labels))
    assert trust.accepted == pytest.approx(0.95, abs=0.01)
    assert [each.promised for each in trust.coverages] == [0.8, 0.9, 0.95, 0.99]
    assert all(each.seen >= each.promised for each in trust.coverages)  # on what it was fitted on
    told = trust.to_json()
    assert told["coverages"][0]["promised"] == 0.8
    assert isinstance(told["bins"], list)


def answers(confidence: list[float], right: list[bool]) -> Selective:
    return selective(np.array(confidence, np.float32), np.array(right))


def test_by_hand() -> None:
    curve = answers([0.9, 0.6, 0.8, 0.8], [True, False, True, False])
    assert curve.confidence == pytest.approx([0.9, 0.8, 0.6])
    assert curve.share.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy.tolist() == [1.0, 2 / 3, 0.5]
    assert curve.share_at(0.6) == 0.75
    assert curve.share_at(0.4) == 1.0
    assert answers([0.9], [False]).share_at(0.5) == 0.0
    assert curve.mean_risk == pytest.approx(0.5 * (1 / 3) + 0.25 * 0.5)


@given(st.lists(st.tuples(st.floats(0.51, 1.0), st.booleans()), min_size=1, max_size=40))
def test_it_ends_at_the_accuracy_over_all(cases: list[tuple[float, bool]]) -> None:
    curve = answers([value for value, _ in cases], [right for _, right in cases])
    assert curve.share[-1] == 1.0
    assert curve.accuracy[-1] == pytest.approx(np.mean([right for _, right in cases]))
    assert (np.diff(curve.share) > 0).all()
    assert (np.diff(curve.confidence) < 0).all()


def test_sure_mistakes_cost_more_than_doubtful_ones() -> None:
    confidence = [0.95, 0.9, 0.8, 0.7, 0.6]
    sure = answers(confidence, [False, True, True, True, True])
    doubtful = answers(confidence, [True, True, True, True, False])
    assert sure.mean_risk > doubtful.mean_risk


def test_json_tells_every_tenth_and_no_point_twice() -> None:
    dice = np.random.default_rng(0)
    curve = answers(dice.uniform(size=200).tolist(), (dice.uniform(size=200) < 0.8).tolist())
    said = curve.to_json()
    assert [point["share"] for point in said["points"]] == pytest.approx([tenth / 10 for tenth in range(1, 11)])
    assert said["points"][-1]["accuracy"] == pytest.approx(curve.accuracy[-1])
    assert said["mean_risk"] == curve.mean_risk
    assert len(answers([0.9, 0.9, 0.9], [True, False, True]).to_json()["points"]) == 1
