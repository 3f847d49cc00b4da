"""The figures against values worked out by hand, published ones, and the definitions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.evaluation.metrics import Evaluation, wilson

CLASSES = ("daisy", "rose", "tulip", "weed")


def evaluation(labels: list[int], predicted: list[int], confidence: float = 0.7) -> Evaluation:
    """Answers with `confidence` in the predicted class and the rest shared by the others."""
    rows = np.full((len(labels), len(CLASSES)), (1 - confidence) / (len(CLASSES) - 1), np.float32)
    rows[np.arange(len(labels)), predicted] = confidence
    paths = tuple(f"{place}.jpg" for place in range(len(labels)))
    return Evaluation(CLASSES, "test", paths, np.array(labels), rows)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors_with_it(case: tuple[int, int]) -> None:
    successes, n = case
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high
    mirrored = wilson(n - successes, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_solves_its_own_equation() -> None:
    """Both ends are the shares whose normal deviation from the seen share is just z."""
    successes, n, z = 37, 50, 1.6448536269514722
    for end in wilson(successes, n, z):
        assert abs(successes / n - end) / math.sqrt(end * (1 - end) / n) == pytest.approx(z)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(successes, n)


def test_figures_by_hand() -> None:
    # label, answer: daisy 2 right and 1 rose; rose 1 right; tulip never answered; no weed, but one called so
    found = evaluation([0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 0, 3])
    assert found.n == 6
    assert found.accuracy == 0.5
    assert found.interval == wilson(3, 6)
    assert found.confusion.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    daisy, rose, tulip, weed = found.per_class
    assert (daisy.label, daisy.n) == ("daisy", 3)
    assert (daisy.precision, daisy.recall, daisy.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (rose.precision, rose.recall, rose.f1) == pytest.approx((1 / 2, 1, 2 / 3))
    assert (tulip.n, tulip.precision, tulip.recall, tulip.f1) == (2, None, 0.0, 0.0)
    assert (weed.n, weed.precision, weed.recall, weed.f1) == (0, 0.0, None, None)
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)  # weeds cannot be judged here
    assert found.log_loss == pytest.approx(-(3 * math.log(0.7) + 3 * math.log(0.1)) / 6, rel=1e-6)


answers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0.3, 1)), min_size=1, max_size=40)


@given(answers)
def test_figures_agree_with_their_definitions(cases: list[tuple[int, int, float]]) -> None:
    labels, predicted, confidences = (list(values) for values in zip(*cases, strict=True))
    rows = np.array(
        [[c if k == p else (1 - c) / 3 for k in range(4)] for p, c in zip(predicted, confidences, strict=True)],
        np.float32,
    )
    found = Evaluation(CLASSES, "val", tuple(map(str, range(len(cases)))), np.array(labels), rows)
    assert found.predicted.tolist() == predicted
    assert found.accuracy == sum(a == b for a, b in zip(labels, predicted, strict=True)) / len(cases)
    assert found.confusion.sum() == len(cases)
    assert np.trace(found.confusion) == found.correct.sum()
    for k, figures in enumerate(found.per_class):
        hits = sum(a == b == k for a, b in zip(labels, predicted, strict=True))
        answered, there = predicted.count(k), labels.count(k)
        assert figures.n == there
        assert figures.precision == (pytest.approx(hits / answered) if answered else None)
        assert figures.recall == (pytest.approx(hits / there) if there else None)
        assert figures.f1 == (pytest.approx(2 * hits / (answered + there)) if there else None)
    order = found.mistakes()
    assert sorted(order) == [k for k in range(len(cases)) if labels[k] != predicted[k]]
    assert all(np.diff(found.confidence[order]) <= 0)
    assert 0 <= found.log_loss <= 16
    written = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(written)["n"] == len(cases)


def test_a_confident_mistake_costs_a_finite_log_loss() -> None:
    found = evaluation([0], [1], confidence=1.0)
    assert found.log_loss == pytest.approx(-math.log(np.finfo(np.float32).eps))


def test_equal_mistakes_keep_the_order_of_the_images() -> None:
    assert evaluation([0, 1, 2, 3], [1, 1, 1, 1]).mistakes().tolist() == [0, 2, 3]


def test_json_has_the_promised_keys() -> None:
    said = evaluation([0, 1, 2, 3], [0, 1, 2, 0]).to_json()
    promised = {"accuracy", "interval", "n", "macro_f1", "log_loss", "per_class", "confusion", "split", "classes"}
    assert promised <= said.keys()
    assert said["per_class"][3] == {"label": "weed", "n": 1, "precision": None, "recall": 0.0, "f1": 0.0}
    assert said["confusion"][3] == [1, 0, 0, 0]


def test_what_does_not_belong_together_is_refused() -> None:
    rows = np.full((2, 4), 0.25, np.float32)
    for paths, labels, probabilities, why in [
        ((), np.array([], int), rows[:0], "at least one"),
        (("a", "b"), np.array([0]), rows, "do not go with"),
        (("a", "b"), np.array([0, 1]), rows[:, :3], "do not go with"),
        (("a", "b"), np.array([0, 4]), rows, "indices into 4"),
        (("a", "b"), np.array([0, -1]), rows, "indices into 4"),
    ]:
        with pytest.raises(ValueError, match=why):
            Evaluation(CLASSES, "test", paths, labels, probabilities)


def test_groups_by_hand() -> None:
    found = evaluation([0, 0, 1, 1, 2], [0, 1, 1, 1, 0])
    grouped = Evaluation(
        found.classes, "test", found.paths, found.labels, found.probabilities, groups=("x", "x", "y", "x", "")
    )
    assert [(figures.group, figures.n, figures.right) for figures in grouped.per_group] == [("x", 3, 2), ("y", 1, 1)]
    assert grouped.per_group[0].interval == wilson(2, 3)
    assert grouped.to_json()["per_group"][1] == {
        "group": "y", "n": 1, "right": 1, "interval": list(wilson(1, 1)), "accuracy": 1.0,
    }  # fmt: skip
    assert found.per_group == ()
    with pytest.raises(ValueError, match="2 groups do not go with 5 images"):
        Evaluation(found.classes, "test", found.paths, found.labels, found.probabilities, groups=("x", "y"))
