"""Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068).

It compares given labels with out-of-fold probabilities. An image counts for a class if its probability reaches the
mean over the images with this label, so that neither a class with low confidence nor one with high confidence is
flagged as a whole.

The paper's authors publish cleanlab, which the tests compare with and which corolla does not depend on: importing any
part of it imports all of it and pandas, to save the five short functions below. It also counts one image on the
diagonal of the confident joint where there is none, and the audit reports what was counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Probs = NDArray[np.float64]
SLACK = 1e-6  # the mean of equal probabilities may exceed them by a rounding error


def thresholds(labels: Numbers, pred_probs: Probs) -> Probs:
    """t_j (eq. 2): the mean probability of class j over the images labeled j (classes,); 2 if there are none."""
    return np.array(
        [pred_probs[labels == j, j].mean() if (labels == j).any() else 2.0 for j in range(pred_probs.shape[1])],
        np.float64,
    )


def confident_classes(labels: Numbers, pred_probs: Probs) -> Numbers:
    """The class that each image counts for (n,): the most probable one whose t_j it reaches (eq. 1), or -1."""
    reached = np.where(pred_probs >= thresholds(labels, pred_probs) - SLACK, pred_probs, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)


def confident_joint(labels: Numbers, pred_probs: Probs) -> Numbers:
    """C (eq. 1): how many images labeled i (rows) count for class j (columns), (classes, classes)."""
    counted = confident_classes(labels, pred_probs)
    joint = np.zeros((pred_probs.shape[1],) * 2, np.int64)
    np.add.at(joint, (labels[counted >= 0], counted[counted >= 0]), 1)
    return joint


def margins(labels: Numbers, pred_probs: Probs) -> Probs:
    """The probability of the given label minus that of the best other class (n,), in [-1, 1]; low is suspicious.

    This is the normalized margin that the paper (section 3.2) and cleanlab rank by.
    """
    places = np.arange(len(labels))
    others = pred_probs.copy()
    others[places, labels] = -1.0
    return np.asarray(pred_probs[places, labels] - others.max(axis=1))


def suspicious(labels: Numbers, pred_probs: Probs) -> NDArray[np.bool_]:
    """Whether each label is likely wrong (n,): the image counts for another class with a higher probability.

    These are the off-diagonal entries of C (section 3.2, method 2), without those whose given label is the top-1 class.
    """
    counted = confident_classes(labels, pred_probs)
    return np.asarray((counted >= 0) & (counted != labels) & (margins(labels, pred_probs) < 0))


@dataclass(frozen=True)
class Suspect:
    """A label that is likely wrong, and the label that fits better."""

    path: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float


@dataclass(frozen=True, eq=False)
class LabelCheck:
    """Out-of-fold probabilities of the checked images, and the results.

    `labels` (n,) are indices into `classes`, `pred_probs` is (n, classes); `passed_over` are classes with too few
    images, each with its number of independent sets.
    """

    weights: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: Numbers
    pred_probs: Probs
    folds: int
    passed_over: tuple[tuple[str, int], ...] = ()

    @property
    def n(self) -> int:
        """The number of checked labels."""
        return len(self.paths)

    @cached_property
    def agreement(self) -> float:
        """The fraction of images whose top-1 class is the given label."""
        return float((self.pred_probs.argmax(axis=1) == self.labels).mean())

    @cached_property
    def ranking(self) -> Numbers:
        """The indices of all checked images, the most suspicious label first."""
        return np.argsort(margins(self.labels, self.pred_probs), kind="stable").astype(np.int64)

    @cached_property
    def suspects(self) -> tuple[Suspect, ...]:
        """The labels that are likely wrong, the most suspicious first."""
        wrong = suspicious(self.labels, self.pred_probs)
        best = self.pred_probs.argmax(axis=1)
        return tuple(
            Suspect(
                self.paths[place],
                self.classes[self.labels[place]],
                self.classes[best[place]],
                float(self.pred_probs[place, self.labels[place]]),
                float(self.pred_probs[place, best[place]]),
            )
            for place in self.ranking
            if wrong[place]
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "weights": self.weights,
            "judged": self.n,
            "folds": self.folds,
            "agreement": self.agreement,
            "classes": list(self.classes),
            "thresholds": thresholds(self.labels, self.pred_probs).tolist(),
            "confident_joint": confident_joint(self.labels, self.pred_probs).tolist(),
            "passed_over": [{"label": label, "sets": sets} for label, sets in self.passed_over],
            "suspects": [vars(suspect) for suspect in self.suspects],
        }


def pairs(suspects: Sequence[Suspect]) -> list[tuple[str, str, int]]:
    """How often each given label is suggested to be another one, most frequent first."""
    counted: dict[tuple[str, str], int] = {}
    for suspect in suspects:
        counted[suspect.given, suspect.suggested] = counted.get((suspect.given, suspect.suggested), 0) + 1
    return [(*pair, times) for pair, times in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
