"""Two models on the same images: published values, the definitions, and what must be refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.errors import CorollaError
from corolla.evaluation.comparing import compare, holm
from corolla.evaluation.metrics import Evaluation

CLASSES = ("daisy", "rose")


def answers(right: list[bool], labels: list[int] | None = None, names: str = "abcdefgh") -> Evaluation:
    """Answers of which some are right, about daisies unless labeled otherwise."""
    given = np.array(labels or [0] * len(right))
    predicted = np.where(right, given, 1 - given)
    rows = np.full((len(right), 2), 0.2, np.float32)
    rows[np.arange(len(right)), predicted] = 0.8
    return Evaluation(CLASSES, "test", tuple(f"{names[k % 8]}{k}" for k in range(len(right))), given, rows)


def disagreeing(only_first: int, only_second: int, both: int, neither: int) -> tuple[Evaluation, Evaluation]:
    pairs = [(True, False)] * only_first + [(False, True)] * only_second + [(True, True)] * both
    pairs += [(False, False)] * neither
    return answers([first for first, _ in pairs]), answers([second for _, second in pairs])


def test_the_exact_test_by_hand() -> None:
    # 1 against 9: twice the chance of at most one head in ten throws, 2 * (1 + 10) / 2 ** 10
    found = compare(*disagreeing(1, 9, 20, 10))
    assert (found.n, found.only_first, found.only_second) == (40, 1, 9)
    assert found.difference == 8 / 40
    assert found.p_value == pytest.approx(2 * 11 / 1024)


def test_models_that_agree_everywhere_do_not_differ() -> None:
    found = compare(*disagreeing(0, 0, 5, 3))
    assert (found.difference, found.interval, found.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_the_bootstraps_interval_is_that_of_the_normal_approximation_for_many_images() -> None:
    found = compare(*disagreeing(120, 180, 1500, 200))
    n, shares = found.n, (120 / 2000, 180 / 2000)
    deviation = math.sqrt((shares[0] + shares[1] - (shares[1] - shares[0]) ** 2) / n)
    expected = (found.difference - 1.96 * deviation, found.difference + 1.96 * deviation)
    assert found.interval == pytest.approx(expected, abs=1.5e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_the_other_way_round_is_the_mirror_image(first: int, second: int, both: int) -> None:
    one, other = disagreeing(first, second, both, 0)
    forward, back = compare(one, other), compare(other, one)
    assert forward.difference == -back.difference
    assert forward.p_value == pytest.approx(back.p_value)
    assert forward.interval[0] <= forward.difference <= forward.interval[1]


def test_the_test_keeps_its_promise() -> None:
    """Of pairs of equally good models, no more than one in twenty is called different."""
    dice = np.random.default_rng(0)
    called = 0
    for _ in range(300):
        rows = dice.random((2, 120)) < 0.8
        called += compare(answers(rows[0].tolist()), answers(rows[1].tolist())).p_value < 0.05
    assert called <= 0.05 * 300


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_different_images_and_different_labels_are_refused() -> None:
    with pytest.raises(CorollaError, match=r"different images \(3 and 2, 2 of them the same\)"):
        compare(answers([True] * 3), answers([True] * 2))
    with pytest.raises(CorollaError, match="different labels for b1, daisy and rose"):
        compare(answers([True] * 3), answers([True] * 3, [0, 1, 0]))
