"""Temperature scaling: one number that makes probabilities mean what they say.

Guo et al., "On calibration of modern neural networks" (ICML 2017, arXiv 1706.04599), section 4.2. Their eq. 9 divides
logits by T; the logarithm of a probability is its logit but for a constant that the softmax takes out again, so here
T divides log-probabilities. That is defined for the mean of an image's and its mirror image's answers too, and for
any exported form of the model, and it never changes which class is the likeliest.
"""

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.05, 20.0  # beyond these a model is either always sure or never
SMALLEST = 1e-12  # probability; a float32 softmax may give a plain zero


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """The probabilities (n, classes) at a temperature: below 1 surer, above 1 less sure, 1 as they are."""
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of the smallest log loss over labeled images that the model was not trained on.

    `probabilities` (n, classes) are those at temperature 1. The loss is convex in 1 / T, so there is one such T; it
    stays within 0.05 and 20, which only answers that are all right or no better than chance would leave.
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
