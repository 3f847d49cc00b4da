"""A linear head on frozen features: logistic regression by L-BFGS, its strength chosen on validation."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STRENGTHS = tuple(10.0**power for power in np.arange(-4, 1.5, 0.5))  # of scikit-learn's C, weakest weights first
ITERATIONS = 500


@dataclass(frozen=True)
class LinearHead:
    """A head's weight (classes, C) and bias (classes,), and what chose it."""

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
    progress: Callable[[int, int], None] | None = None,
) -> LinearHead:
    """Fit classes to features (n, views, C) whose label (n,) is a class number; validation's likewise.

    Every view is a training example; a validation picture is answered with the mean over its views. The strength is
    the one of `strengths` with the best validation accuracy, and of the smallest log loss among equals. A class without
    a training picture keeps a weight of zero and a bias that never wins. `progress(done, of)` counts strengths.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(dim=(0, 1)), features.std(dim=(0, 1)).clamp_min(1e-6)

    def flat(views: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return ((views - mean) / spread).flatten(0, -2).double().numpy()

    x, y = flat(features), labels.repeat_interleave(features.shape[1]).numpy()
    val_x, val_y = flat(val_features), val_labels.numpy()
    best: tuple[tuple[float, float], float, LogisticRegression] | None = None
    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a strength that has not converged is judged as it is
        for done, strength in enumerate(strengths, start=1):
            model.set_params(C=strength).fit(x, y)
            chances = model.predict_proba(val_x).reshape(*val_features.shape[:2], -1).mean(axis=1)
            judged = judge(chances, val_y, model.classes_)
            if best is None or judged > best[0]:
                best = judged, strength, (model.coef_.copy(), model.intercept_.copy())
            if progress:
                progress(done, len(strengths))
    assert best is not None
    (accuracy, _), strength, (weight, bias) = best
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole_weight, whole_bias = torch.zeros(num_classes, features.shape[-1]), torch.full((num_classes,), -30.0)
    known = torch.from_numpy(model.classes_)
    # The standardisation folded in: w (x - mean) / spread + b.
    scaled = torch.from_numpy(weight) / spread.double()
    whole_weight[known] = scaled.float()
    whole_bias[known] = (torch.from_numpy(bias) - scaled @ mean.double()).float()
    return LinearHead(whole_weight, whole_bias, strength, accuracy)


def answers(features: Tensor, head: LinearHead) -> Tensor:
    """The probabilities (n, classes) that a head gives features (n, views, C): the mean over their views."""
    return (features @ head.weight.T + head.bias).softmax(dim=-1).mean(dim=1)


def judge(
    chances: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> tuple[float, float]:
    """Accuracy and negative log loss of chances (n, classes), larger is better."""
    column = {number: place for place, number in enumerate(classes.tolist())}
    given = np.array(
        [chances[row, column[label]] if label in column else 0.0 for row, label in enumerate(labels.tolist())]
    )
    accuracy = float((classes[chances.argmax(axis=1)] == labels).mean())
    return accuracy, float(np.log(np.maximum(given, 1e-7)).mean())
