"""The table of the deletion and insertion test: differences in pairs, intervals by the bootstrap."""

import numpy as np
import pytest

from corolla.explanations.deletion import Curves
from explanations import gathered, interval, table

NAMES = ["relevance", "random map 0", "random map 1"]


def curves(*areas: tuple[float, float]) -> Curves:
    """Flat curves with these areas of deletion and insertion, a pair for each map."""
    deletion, insertion = (np.array([[pair[place]] * 2 for pair in areas], np.float32) for place in (0, 1))
    return Curves(np.array([0.0, 1.0]), deletion, insertion)


def test_random_maps_become_their_mean():
    found = gathered(NAMES, np.array([[0.5, 0.1, 0.3], [0.7, 0.2, 0.2]]))
    assert list(found) == ["relevance", "random map"]
    np.testing.assert_allclose(found["random map"], [0.2, 0.2])


def test_what_is_better_on_every_photograph_is_better_than_random_however_they_differ():
    asked = [curves((0.1 + x, 0.5 + x), (0.2 + x, 0.4 + x), (0.2 + x, 0.4 + x)) for x in (0.0, 0.1, 0.4)]
    best, random = table(NAMES, asked, {"relevance": 0.0123}).splitlines()[2:]
    assert best.startswith("| relevance | 0.267 | 0.667 | 0.400 | +0.200 (+0.200 to +0.200) | 12 |")
    assert random.startswith("| random map |")


def test_the_interval_is_that_of_a_mean():
    values = np.random.default_rng(1).normal(0.3, 1.0, 400)
    low, high = interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
