"""Whether one model is better than another, or was lucky: both asked about the same images, answer by answer.

What both name right, or both wrong, says nothing about which is better; only the images that they disagree on do.
That makes a comparison on the same images much sharper than two intervals beside each other.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from corolla.errors import CorollaError
from corolla.evaluation.metrics import Evaluation

MOST = 6  # models that are compared at once, each in a color of its own
RESAMPLES = 20_000


@dataclass(frozen=True)
class Comparison:
    """A second model against a first one, on the same `n` images."""

    n: int
    only_first: int  # images that the first alone names right
    only_second: int
    interval: tuple[float, float]  # 95 % of the difference, from the paired bootstrap
    p_value: float  # exact McNemar test: how likely so uneven a disagreement is between equally good models

    @property
    def difference(self) -> float:
        """The second model's accuracy less the first one's."""
        return (self.only_second - self.only_first) / self.n

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"interval": list(self.interval), "difference": self.difference}


def compare(first: Evaluation, second: Evaluation, *, seed: int = 0) -> Comparison:
    """Hold two models' answers about the same images against each other.

    McNemar (Psychometrika 12, 1947, 153-157) in its exact form: of the images that one model alone names right, each
    is either model's with probability 1/2 if they are equally good. The interval of the difference is the paired
    bootstrap's (Efron & Tibshirani 1993, ch. 13): images are drawn again with replacement, and since the difference
    depends only on how many of the three kinds are drawn, those numbers are drawn directly.
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
    """The p-values of several comparisons, each enlarged so that all together keep the error rate of one.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    enlarged = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        enlarged[place] = least
    return enlarged


def check_same(first: Evaluation, second: Evaluation) -> None:
    """Refuse answers about different images, or about differently labeled ones."""
    if first.paths != second.paths:
        both = len(set(first.paths) & set(second.paths))
        raise CorollaError(
            f"the two were asked about different images ({first.n} and {second.n}, {both} of them the same); "
            "name the images that both are to be asked about with --data"
        )
    names = [[evaluation.classes[label] for label in evaluation.labels] for evaluation in (first, second)]
    if names[0] != names[1]:
        place = next(k for k, (one, other) in enumerate(zip(*names, strict=True)) if one != other)
        raise CorollaError(
            f"the two have different labels for {first.paths[place]}, {names[0][place]} and {names[1][place]}; "
            "name the images that both are to be asked about with --data"
        )
