"""A linear head on frozen features: logistic regression by L-BFGS, its strength chosen on validation."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STRENGTHS = tuple(10.0**power for power in np.arange(-4, 1.5, 0.5))  # scikit-learn's C, strongest regularization first
ITERATIONS = 500
FEWEST_ITERATIONS = 5  # fewer give no useful fit

Fit = tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]


@dataclass(frozen=True)
class LinearHead:
    """A head's weight (classes, C) and bias (classes,), and what it was chosen by."""

    weight: Tensor
    bias: Tensor
    strength: float  # scikit-learn's C
    accuracy: float  # on validation, in [0, 1]


def fit_head(
    features: Tensor,
    labels: Tensor,
    val_features: Tensor,
    val_labels: Tensor,
    num_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    seconds: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LinearHead:
    """Fit a classifier to features (n, views, C) with class numbers (n,) as labels; the same for validation.

    Every view is a training example; the prediction for a validation image is the mean over its views. The chosen
    strength has the best validation accuracy of `strengths`, and the smallest log loss among equals. A class without
    a training image keeps a weight of zero and a bias that never wins. `progress(done, of)` counts strengths.

    `seconds` limits the time, approximately: every other strength is tried first, then the others, nearest to the best
    first. Strengths without time are left out, and a fit that is too slow ends early.
    """
    from sklearn.linear_model import LogisticRegression

    begun = time.monotonic()

    mean, spread = features.mean(dim=(0, 1)), features.std(dim=(0, 1)).clamp_min(1e-6)

    def flat(views: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return ((views - mean) / spread).flatten(0, -2).double().numpy()

    x, y = flat(features), labels.repeat_interleave(features.shape[1]).numpy()
    val_x, val_y = flat(val_features), val_labels.numpy()
    tried: dict[float, tuple[tuple[float, float], Fit]] = {}
    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)

    iteration = 0.0 if seconds is None else iteration_seconds(x, num_classes)

    def left() -> int:
        """How many iterations there is time for."""
        return ITERATIONS if seconds is None else int((seconds - (time.monotonic() - begun)) / max(iteration, 1e-6))

    def try_all(some: Sequence[float]) -> None:
        nonlocal iteration
        for strength in some:
            if tried and left() < FEWEST_ITERATIONS:
                return
            started = time.monotonic()
            model.set_params(C=strength, max_iter=min(max(left(), FEWEST_ITERATIONS), ITERATIONS)).fit(x, y)
            probs = model.predict_proba(val_x).reshape(*val_features.shape[:2], -1).mean(axis=1)
            tried[strength] = judge(probs, val_y, model.classes_), (model.coef_.copy(), model.intercept_.copy())
            iteration = (time.monotonic() - started) / max(int(model.n_iter_.max()), 1)
            if progress:
                progress(len(tried), len(strengths))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not converged is evaluated as it is
        try_all(strengths if seconds is None else strengths[::2])
        if seconds is not None:
            best = best_of(tried)
            others = [strength for strength in strengths if strength not in tried]
            try_all(sorted(others, key=lambda strength: abs(math.log(strength / best))))
    strength = best_of(tried)
    (accuracy, _), (weight, bias) = tried[strength]
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole_weight, whole_bias = torch.zeros(num_classes, features.shape[-1]), torch.full((num_classes,), -30.0)
    known = torch.from_numpy(model.classes_)
    # The standardization folded in: w (x - mean) / spread + b.
    scaled = torch.from_numpy(weight) / spread.double()
    whole_weight[known] = scaled.float()
    whole_bias[known] = (torch.from_numpy(bias) - scaled @ mean.double()).float()
    return LinearHead(whole_weight, whole_bias, strength, accuracy)


def iteration_seconds(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]], num_classes: int) -> float:
    """Estimated seconds of an L-BFGS iteration on rows (n, C): twice the two matmuls with a head's weight."""
    weight = np.zeros((x.shape[1], num_classes))
    started = time.monotonic()
    x.T @ (x @ weight)
    return 2 * (time.monotonic() - started)


def best_of(tried: dict[float, tuple[tuple[float, float], Fit]]) -> float:
    """The best strength, the one with the strongest regularization among equals."""
    return max(sorted(tried), key=lambda strength: tried[strength][0])


def predict_proba(features: Tensor, head: LinearHead) -> Tensor:
    """The probabilities (n, classes) that a head gives features (n, views, C): the mean over their views."""
    return (features @ head.weight.T + head.bias).softmax(dim=-1).mean(dim=1)


def judge(
    probs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> tuple[float, float]:
    """Accuracy and negative log loss of probabilities (n, classes); larger is better."""
    column = {number: place for place, number in enumerate(classes.tolist())}
    given = np.array(
        [probs[row, column[label]] if label in column else 0.0 for row, label in enumerate(labels.tolist())]
    )
    accuracy = float((classes[probs.argmax(axis=1)] == labels).mean())
    return accuracy, float(np.log(np.maximum(given, 1e-7)).mean())
