"""The metrics of an evaluation: accuracy with its interval, per-class metrics, confusion matrix, log loss.

An `Evaluation` holds the predictions and computes every metric from them, so the command's output, `evaluation.json`
and the report all show the same numbers.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.evaluation.reliability import Selective, Trust, measure_trust, selective, surprise
from corolla.text import count, decimals_of
from corolla.uncertainty.calibration import ConformalCalibration

Z_95 = 1.959963984540054  # the standard normal's 97.5 % quantile


@dataclass(frozen=True)
class ClassFigures:
    """The metrics of one class with `n` images; a metric that would divide by zero is None."""

    label: str
    n: int
    precision: float | None  # None if the class was never predicted
    recall: float | None  # None if no image has the label
    f1: float | None  # None if no image has the label


@dataclass(frozen=True)
class GroupFigures:
    """The metrics of one group of images, for example of one photographer or patient."""

    group: str
    n: int
    right: int
    interval: tuple[float, float]  # 95 % Wilson

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return self.right / self.n


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's predictions for labeled images, and every metric over them.

    `labels` (n,) are indices into `classes`; `probabilities` is (n, classes), float32. ValueError for an empty set or
    for shapes that do not match.
    """

    classes: tuple[str, ...]
    split: str  # train, val, test, or all
    paths: tuple[str, ...]  # relative to `root`, with forward slashes
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    root: Path | None = None  # the folder of the images when they were evaluated
    trained_on: int | None = None  # how many of them (identical bytes) the model was trained on; None: not known
    groups: tuple[str, ...] = ()  # of each image, "" for none; empty if the data has no groups
    calibration: ConformalCalibration | None = None  # the model's calibration, applied to the probabilities
    ood_scores: NDArray[np.float32] | None = None  # (n,) of a calibrated model; above 1: rejected
    notes: tuple[str, ...] = ()  # remarks on how the data was read

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("an evaluation needs at least one image")
        n, classes = len(self.paths), len(self.classes)
        if self.labels.shape != (n,) or self.probabilities.shape != (n, classes):
            raise ValueError(
                f"{n} images of {classes} classes do not go with labels of shape {self.labels.shape} "
                f"and probabilities of shape {self.probabilities.shape}"
            )
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise ValueError(f"labels should be indices into {classes} classes")
        if self.groups and len(self.groups) != n:
            raise ValueError(f"{len(self.groups)} groups do not go with {n} images")

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.paths)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The predicted class of each image (n,); the first among equally probable ones."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the predicted class (n,)."""
        return np.asarray(self.probabilities.max(axis=1), dtype=np.float32)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each prediction equals the true label (n,)."""
        return np.asarray(self.predicted == self.labels, dtype=np.bool_)

    @cached_property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return int(self.correct.sum()) / self.n

    @property
    def decimals(self) -> int:
        """The decimals of a percentage of these images."""
        return decimals_of(self.n)

    @property
    def sample(self) -> str:
        """The number of images and the split in words: `1 test image`."""
        return count(self.n, "image" if self.split == "all" else f"{self.split} image")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson(int(self.correct.sum()), self.n)

    @cached_property
    def per_class(self) -> tuple[ClassFigures, ...]:
        """Precision, recall and F1 of every class, in the order of `classes`."""
        from sklearn.metrics import precision_recall_fscore_support

        places = np.arange(len(self.classes))
        precision, recall, f1, support = precision_recall_fscore_support(
            self.labels, self.predicted, labels=places, average=None, zero_division=np.nan
        )
        return tuple(
            ClassFigures(name, int(n), defined(p), defined(r), defined(f) if n else None)
            for name, n, p, r, f in zip(self.classes, support, precision, recall, f1, strict=True)
        )

    @cached_property
    def per_group(self) -> tuple[GroupFigures, ...]:
        """The metrics of every group, the largest first; images without a group are left out."""
        counts = Counter(group for group in self.groups if group)
        right = Counter(group for group, correct in zip(self.groups, self.correct, strict=False) if group and correct)
        return tuple(
            GroupFigures(group, n, right[group], wilson(right[group], n))
            for group, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )

    @cached_property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that have images here; classes without images are left out."""
        values = [figures.f1 for figures in self.per_class if figures.f1 is not None]
        return sum(values) / len(values)

    @cached_property
    def log_loss(self) -> float:
        """The mean of -ln(probability of the true label), in nats."""
        return surprise(self.probabilities, self.labels)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix (classes, classes): true labels in rows, predictions in columns."""
        from sklearn.metrics import confusion_matrix

        matrix = confusion_matrix(self.labels, self.predicted, labels=np.arange(len(self.classes)))
        return np.asarray(matrix, dtype=np.int64)

    @cached_property
    def trust(self) -> Trust | None:
        """Calibration, coverage and OOD metrics; None for a model that is not calibrated."""
        if self.calibration is None or self.ood_scores is None:
            return None
        return measure_trust(self.probabilities, self.labels, self.ood_scores, self.calibration)

    @cached_property
    def selective(self) -> Selective:
        """The accuracy if only the most confident predictions are used."""
        return selective(self.confidence, self.correct)

    def mistakes(self) -> NDArray[np.int64]:
        """The indices of the misclassified images, the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def to_json(self) -> dict[str, Any]:
        """The metrics as plain values, as in `corolla evaluate --json` and `evaluation.json`."""
        return {
            "split": self.split,
            "n": self.n,
            "trained_on": self.trained_on,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "macro_f1": self.macro_f1,
            "log_loss": self.log_loss,
            "classes": list(self.classes),
            "per_class": [asdict(figures) for figures in self.per_class],
            "per_group": [
                asdict(figures) | {"interval": list(figures.interval), "accuracy": figures.accuracy}
                for figures in self.per_group
            ],
            "confusion": self.confusion.tolist(),
            "selective": self.selective.to_json(),
            "trust": self.trust.to_json() if self.trust else None,
        }


def wilson(successes: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson interval of a proportion with `successes` in `n` trials; 95 % unless `z` is given.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), 209-212. Unlike the textbook's p +- z s it stays inside [0, 1] and keeps its
    coverage for few images and for proportions near 1. ValueError unless 0 <= successes <= n and n > 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is not a proportion")
    center = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * sqrt(successes * (n - successes) / n + z * z / 4)
    # The ends are exact if every or no trial succeeded; rounding would make them slightly wrong.
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return low, high


def defined(value: float) -> float | None:
    """The value as a float, None if it is NaN."""
    return None if np.isnan(value) else float(value)
