"""Measure a classifier's accuracy under every common corruption."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Robustness, corrupted
from corolla.evaluation.metrics import Evaluation
from corolla.predictor import Predictor

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
