"""Paired comparison of two models: whether one is significantly better than the other on the same images.

Images that both models classify correctly, or both wrongly, say nothing about which is better; only the images on
which they disagree do. So a paired comparison is much more powerful than two separate intervals.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from corolla.errors import CorollaError
from corolla.evaluation.metrics import Evaluation

MOST = 6  # models in one comparison, each in its own color
RESAMPLES = 20_000


@dataclass(frozen=True)
class Comparison:
    """A second model against a first one, on the same `n` images."""

    n: int
    only_first: int  # images that only the first model classifies correctly
    only_second: int
    interval: tuple[float, float]  # 95 % interval of the difference, from the paired bootstrap
    p_value: float  # exact McNemar test: probability of such an uneven disagreement if both are equally good

    @property
    def difference(self) -> float:
        """The second model's accuracy minus the first one's."""
        return (self.only_second - self.only_first) / self.n

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"interval": list(self.interval), "difference": self.difference}


def compare(first: Evaluation, second: Evaluation, *, seed: int = 0) -> Comparison:
    """Compare two models' predictions on the same images.

    McNemar's test (Psychometrika 12, 1947, 153-157) in its exact form: each image that only one model classifies
    correctly is either model's with probability 1/2 if both are equally good. The interval of the difference is from
    the paired bootstrap (Efron & Tibshirani 1993, ch. 13): images are resampled with replacement, and since the
    difference depends only on the counts of the three kinds, these counts are sampled directly.
    Raises `CorollaError` if the images or their labels are not the same.
    """
    check_same(first, second)
    from scipy.stats import binomtest

    n = first.n
    only_first = int((first.correct & ~second.correct).sum())
    only_second = int((second.correct & ~first.correct).sum())
    shares = np.array([only_first, only_second, n - only_first - only_second]) / n
    drawn = np.random.default_rng(seed).multinomial(n, shares, RESAMPLES)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / n, [0.025, 0.975])
    disagree = only_first + only_second
    p_value = float(binomtest(only_second, disagree).pvalue) if disagree else 1.0
    return Comparison(n, only_first, only_second, (float(low), float(high)), p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, adjusted so that the family-wise error rate is that of a single test.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    enlarged = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        enlarged[place] = least
    return enlarged


def check_same(first: Evaluation, second: Evaluation) -> None:
    """`CorollaError` if the images or their labels are not the same."""
    if first.paths != second.paths:
        both = len(set(first.paths) & set(second.paths))
        raise CorollaError(
            f"the two were evaluated on different images ({first.n} and {second.n}, {both} of them the same); "
            "give the same images to both with --data"
        )
    names = [[evaluation.classes[label] for label in evaluation.labels] for evaluation in (first, second)]
    if names[0] != names[1]:
        place = next(k for k, (one, other) in enumerate(zip(*names, strict=True)) if one != other)
        raise CorollaError(
            f"the two have different labels for {first.paths[place]}, {names[0][place]} and {names[1][place]}; "
            "give the same images to both with --data"
        )
