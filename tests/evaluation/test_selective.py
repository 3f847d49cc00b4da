"""Accuracy over the surest answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.evaluation.metrics import Evaluation
from corolla.evaluation.selective import selective


def answers(confidence: list[float], right: list[bool]) -> Evaluation:
    rows = np.array([[value, 1 - value] for value in confidence], np.float32)
    labels = np.where(right, 0, 1)
    return Evaluation(("a", "b"), "test", tuple(map(str, range(len(right)))), labels, rows)


def test_by_hand() -> None:
    curve = selective(answers([0.9, 0.6, 0.8, 0.8], [True, False, True, False]))
    assert curve.confidence == pytest.approx([0.9, 0.8, 0.6])
    assert curve.share.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy.tolist() == [1.0, 2 / 3, 0.5]
    assert curve.share_at(0.6) == 0.75
    assert curve.share_at(0.4) == 1.0
    assert selective(answers([0.9], [False])).share_at(0.5) == 0.0
    assert curve.mean_risk == pytest.approx(0.5 * (1 / 3) + 0.25 * 0.5)


@given(st.lists(st.tuples(st.floats(0.51, 1.0), st.booleans()), min_size=1, max_size=40))
def test_it_ends_at_the_accuracy_over_all(cases: list[tuple[float, bool]]) -> None:
    evaluation = answers([value for value, _ in cases], [right for _, right in cases])
    curve = selective(evaluation)
    assert curve.share[-1] == 1.0
    assert curve.accuracy[-1] == pytest.approx(evaluation.accuracy)
    assert (np.diff(curve.share) > 0).all()
    assert (np.diff(curve.confidence) < 0).all()


def test_sure_mistakes_cost_more_than_doubtful_ones() -> None:
    confidence = [0.95, 0.9, 0.8, 0.7, 0.6]
    sure = selective(answers(confidence, [False, True, True, True, True]))
    doubtful = selective(answers(confidence, [True, True, True, True, False]))
    assert sure.mean_risk > doubtful.mean_risk
