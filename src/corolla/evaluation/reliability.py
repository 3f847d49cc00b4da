"""Reliability of probabilities, conformal prediction sets and OOD rejection, measured on labeled images.

Selective classification is the accuracy if the model predicts only its most confident images (El-Yaniv & Wiener, "On
the foundations of noise-free selective classification", Journal of Machine Learning Research 11, 2010): the images are
sorted by confidence, and the accuracy is computed over the most confident fraction. If the confidence is informative,
the curve rises towards the left.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.uncertainty.calibration import ConformalCalibration
from corolla.uncertainty.temperature import apply_temperature

BINS = 15  # of equal width, as in the paper
COVERAGES = (0.8, 0.9, 0.95, 0.99)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: the predictions with a confidence between `low` and `high`."""

    low: float
    high: float
    n: int
    confidence: float  # the mean probability of the predictions
    accuracy: float  # the fraction of them that is correct


@dataclass(frozen=True)
class Coverage:
    """A target coverage and the measured one."""

    promised: float  # the target
    seen: float  # the fraction of the images whose set contains the true class
    size: float  # mean number of classes in a set
    single: float  # the fraction of sets with exactly one class
    empty: float


@dataclass(frozen=True)
class Trust:
    """The metrics of a calibrated model; `uncalibrated` ones are of the same predictions at temperature 1."""

    temperature: float
    ece: float
    uncalibrated_ece: float
    brier: float
    uncalibrated_brier: float
    log_loss: float
    uncalibrated_log_loss: float
    bins: tuple[Bin, ...]
    uncalibrated_bins: tuple[Bin, ...]
    coverages: tuple[Coverage, ...]
    accepted: float  # the fraction of the images that are not rejected as OOD
    accepted_accuracy: float | None  # over the accepted images; None if there are none

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {name: listed(value) for name, value in asdict(self).items()}


def listed(value: Any) -> Any:
    """A tuple as a list, as in JSON; anything else unchanged."""
    return list(value) if isinstance(value, tuple) else value


def measure_trust(
    probabilities: Floats, labels: NDArray[np.int64], ood_scores: Floats, calibration: ConformalCalibration
) -> Trust:
    """The metrics from calibrated probabilities (n, classes) of labeled images and their OOD scores (n,)."""
    before = apply_temperature(probabilities, 1 / calibration.temperature)
    bins, bins_before = reliability(probabilities, labels), reliability(before, labels)
    right = probabilities.argmax(axis=1) == labels
    accepted = ood_scores <= 1
    return Trust(
        temperature=calibration.temperature,
        ece=ece(bins),
        uncalibrated_ece=ece(bins_before),
        brier=brier(probabilities, labels),
        uncalibrated_brier=brier(before, labels),
        log_loss=surprise(probabilities, labels),
        uncalibrated_log_loss=surprise(before, labels),
        bins=bins,
        uncalibrated_bins=bins_before,
        coverages=tuple(measure_coverage(probabilities, labels, calibration, promised) for promised in COVERAGES),
        accepted=float(accepted.mean()),
        accepted_accuracy=float(right[accepted].mean()) if accepted.any() else None,
    )


def reliability(probabilities: Floats, labels: NDArray[np.int64]) -> tuple[Bin, ...]:
    """The predictions binned by confidence; empty bins are left out.

    Guo et al. 2017 (arXiv 1706.04599), section 2: bin m has the confidences in ((m - 1) / M, m / M].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return tuple(
        Bin(m / BINS, (m + 1) / BINS, int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for m in range(BINS)
        if (inside := place == m).any()
    )


def ece(bins: tuple[Bin, ...]) -> float:
    """The expected calibration error (eq. 3 there): the mean gap between confidence and accuracy."""
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n


def brier(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """The mean squared distance of the probabilities from the one-hot true label, from 0 to 2 (Brier 1950)."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - wanted).sum(axis=1).mean())


def surprise(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """The mean of -ln(probability of the true label), in nats.

    Probabilities are clipped at single precision's epsilon, as in scikit-learn, so one confident error costs at most
    16 nats.
    """
    from sklearn.metrics import log_loss

    return float(log_loss(labels, probabilities, labels=np.arange(probabilities.shape[1])))


def measure_coverage(
    probabilities: Floats, labels: NDArray[np.int64], calibration: ConformalCalibration, promised: float
) -> Coverage:
    """The measured coverage of the sets for one target coverage."""
    members = calibration.conformal.sets(probabilities, promised)
    sizes = members.sum(axis=1)
    seen = float(members[np.arange(len(labels)), labels].mean())
    return Coverage(promised, seen, float(sizes.mean()), float((sizes == 1).mean()), float((sizes == 0).mean()))


TOLD = 10  # points of the curve that go into JSON


@dataclass(frozen=True, eq=False)
class Selective:
    """One point for each confidence that occurs, from the most to the least confident; all of shape (points,)."""

    confidence: NDArray[np.float64]  # the threshold
    share: NDArray[np.float64]  # the fraction of the images with at least this confidence (coverage)
    accuracy: NDArray[np.float64]  # over these images

    def share_at(self, accuracy: float) -> float:
        """The largest fraction of images with at least this accuracy; 0 if there is none."""
        enough = self.share[self.accuracy >= accuracy]
        return float(enough.max()) if enough.size else 0.0

    @property
    def mean_risk(self) -> float:
        """The area under the curve of 1 - accuracy over the fraction (AURC, Geifman et al. 2019, arXiv 1805.08206)."""
        widths = np.diff(self.share, prepend=0.0)
        return float(((1 - self.accuracy) * widths).sum())

    def to_json(self) -> dict[str, Any]:
        """As plain values: the mean risk, and the first point that covers each tenth of the images."""
        places = sorted({int(np.searchsorted(self.share, tenth / TOLD - 1e-9)) for tenth in range(1, TOLD + 1)})
        points = zip(self.share[places], self.confidence[places], self.accuracy[places], strict=True)
        return {
            "mean_risk": self.mean_risk,
            "points": [
                {"share": float(share), "confidence": float(confidence), "accuracy": float(accuracy)}
                for share, confidence, accuracy in points
            ],
        }


def selective(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> Selective:
    """The curve from each prediction's confidence (n,) and correctness; equal confidences form one point."""
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order].astype(np.float64)
    last = np.flatnonzero(np.diff(falling, append=-1.0))
    answered = last + 1
    return Selective(falling[last], answered / len(order), np.cumsum(correct[order])[last] / answered)
