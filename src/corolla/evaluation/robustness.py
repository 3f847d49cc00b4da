"""Common corruptions of images, and the accuracy of a classifier under each of them by severity.

After Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations" (2019,
arXiv 1903.12261): corruptions between the lens and the model, each in a few severities. They are applied to the
preprocessed pixels, with lengths as fractions of the image's side, so that a severity means the same for models of
different image sizes. None is used in training under this name or strength.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from corolla.evaluation.metrics import Evaluation
from corolla.predictor import Predictor

Pixels = NDArray[np.uint8]  # (H, W, 3)
SEVERITIES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Corruption:
    """One kind: the `strengths` of its severities, and `apply`, which takes an image, a strength and an RNG."""

    name: str
    unit: str  # of the strengths, for the report
    strengths: tuple[float, float, float, float]
    apply: Callable[[Pixels, float, np.random.Generator], Pixels]


def blur(pixels: Pixels, sigma: float, _: np.random.Generator) -> Pixels:
    """Out of focus: Gaussian blur, with `sigma` as a fraction of the shorter side."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma * min(pixels.shape[:2])), np.uint8)


def noise(pixels: Pixels, deviation: float, dice: np.random.Generator) -> Pixels:
    """Low light: independent Gaussian noise per channel, with `deviation` as a fraction of full brightness."""
    grains = dice.normal(0.0, 255 * deviation, pixels.shape)
    return np.asarray((pixels + grains).round().clip(0, 255), np.uint8)


def jpeg(pixels: Pixels, quality: float, _: np.random.Generator) -> Pixels:
    """Strong compression: JPEG at this quality, of 100."""
    reordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    stream = cv2.imencode(".jpg", reordered, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    read = np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)


def dark(pixels: Pixels, factor: float, _: np.random.Generator) -> Pixels:
    """Underexposed: every value times `factor`."""
    return np.asarray((pixels * factor).round().clip(0, 255), np.uint8)


def bright(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Overexposed: `share` of full brightness is added to every value, clipped at full brightness."""
    return np.asarray((pixels + 255 * share).round().clip(0, 255), np.uint8)


def rotate(pixels: Pixels, degrees: float, dice: np.random.Generator) -> Pixels:
    """Tilted: rotated about the center to either side, with reflection padding."""
    height, width = pixels.shape[:2]
    angle = degrees if dice.random() < 0.5 else -degrees
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    turned = cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.uint8)


CORRUPTIONS = (
    Corruption("blur", "of the side", (0.005, 0.01, 0.02, 0.04), blur),
    Corruption("noise", "of full brightness", (0.04, 0.08, 0.16, 0.32), noise),
    Corruption("JPEG", "quality", (40, 20, 10, 5), jpeg),
    Corruption("darkness", "of the brightness", (0.7, 0.5, 0.3, 0.15), dark),
    Corruption("glare", "of full brightness", (0.1, 0.2, 0.35, 0.5), bright),
    Corruption("rotation", "degrees", (10, 20, 45, 90), rotate),
)


def corrupted(pixels: Pixels, seed: int) -> Iterator[tuple[str, int, Pixels]]:
    """Every corruption of one image (H, W, 3) in every severity, deterministic by `seed`."""
    for corruption in CORRUPTIONS:
        for severity, strength in zip(SEVERITIES, corruption.strengths, strict=True):
            dice = np.random.default_rng((seed, severity))
            yield corruption.name, severity, corruption.apply(pixels, strength, dice)


@dataclass(frozen=True)
class Robustness:
    """The number of correct predictions among `n` images, without and with each corruption, by severity."""

    n: int
    untouched: int
    right: dict[str, tuple[int, ...]]  # in the order of SEVERITIES

    def accuracy(self, name: str) -> tuple[float, ...]:
        """The accuracy under one corruption, severity by severity."""
        return tuple(count / self.n for count in self.right[name])

    @property
    def mean(self) -> float:
        """The accuracy over all corruptions and severities, equally weighted."""
        return float(np.mean([self.accuracy(name) for name in self.right]))

    def to_json(self) -> dict[str, Any]:
        """As plain values, each severity with its strength."""
        return {
            "n": self.n,
            "untouched": self.untouched / self.n,
            "mean": self.mean,
            "corruptions": {
                corruption.name: {
                    "unit": corruption.unit,
                    "strengths": list(corruption.strengths),
                    "accuracy": list(self.accuracy(corruption.name)),
                }
                for corruption in CORRUPTIONS
            },
        }


BATCH = 32
Version = tuple[str, int]  # a corruption's name and its severity
CLEAN: Version = ("", 0)


def measure_robustness(
    predictor: Predictor, evaluation: Evaluation, progress: Callable[[int, int], None] | None = None
) -> Robustness:
    """Predict the evaluated images under every corruption and severity, and count the correct predictions.

    The corruptions of an image depend on its index alone, so a second run gives the same result. Each image is decoded
    once. Raises `ImageError` if an image is missing, ValueError if their folder is not known.
    """
    root = evaluation.root
    if root is None:
        raise ValueError("the evaluation does not know the folder of its images")
    right: Counter[Version] = Counter()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, evaluation.n, BATCH):
            places = range(start, min(start + BATCH, evaluation.n))
            made = list(pool.map(lambda place: versions(predictor, root / evaluation.paths[place], place), places))
            for version in made[0]:
                outputs = predictor.infer(np.stack([images[version] for images in made]))
                answers = np.array([output.probabilities.argmax() for output in outputs])
                right[version] += int((answers == evaluation.labels[places]).sum())
            if progress:
                progress(places.stop, evaluation.n)
    return Robustness(
        evaluation.n,
        right[CLEAN],
        {kind.name: tuple(right[kind.name, severity] for severity in SEVERITIES) for kind in CORRUPTIONS},
    )


def versions(predictor: Predictor, path: Path, seed: int) -> dict[Version, NDArray[np.uint8]]:
    """A preprocessed image (H, W, 3): unchanged, and with every corruption and severity."""
    pixels = predictor.pixels(path)
    return {CLEAN: pixels} | {(name, severity): changed for name, severity, changed in corrupted(pixels, seed)}
