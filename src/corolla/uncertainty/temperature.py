"""Temperature scaling: one number that calibrates the probabilities.

Guo et al., "On calibration of modern neural networks" (ICML 2017, arXiv 1706.04599), section 4.2. Their eq. 9 divides
logits by T; the logarithm of a probability equals its logit up to a constant that the softmax removes, so here T
divides log-probabilities. This also works for the mean over an image and its horizontal flip, and for any exported
model, and it never changes the predicted class.
"""

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.05, 20.0  # beyond these a model is always fully confident or never
SMALLEST = 1e-12  # probability; a float32 softmax may give a plain zero


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """The probabilities (n, classes) at a temperature: more confident below 1, less above 1, unchanged at 1."""
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature with the smallest log loss over labeled images that the model was not trained on.

    `probabilities` (n, classes) are at temperature 1. The loss is convex in 1 / T, so there is one minimum; T is
    limited to 0.05 to 20, which it would exceed only if all predictions are correct or no better than chance.
    """
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    given = logs[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        most = scaled.max(axis=1)
        normalizer = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float((normalizer - given / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))
