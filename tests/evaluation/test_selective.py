"""Accuracy over the surest answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.evaluation.selective import Selective, selective


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
