"""What a model can know about its own answers, found out on pictures that it was not trained on.

The validation split gives the temperature, the conformal scores and the border of novelty; the training split shows
what ordinary inputs of the head look like. The test split has no part in it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.data.progress import Progress
from corolla.errors import CorollaError
from corolla.trust.calibration import Calibration
from corolla.trust.conformal import Conformal
from corolla.trust.novelty import KINDS, Novelty, Score, mixtures
from corolla.trust.outliers import OUTLIERS, Pixels
from corolla.trust.outputs import Outputs
from corolla.trust.temperature import fit_temperature, tempered

FEWEST = 20  # validation pictures, below which nothing can be promised
TRAINING = 1500  # training pictures at most that are looked at
DAMAGED = 200  # validation pictures at most that outliers are made of
BATCH = 32

Change = Callable[[Pixels, np.random.Generator], Pixels]


def calibrate(classifier: Classifier, manifest: Manifest, progress: Progress | None = None) -> Calibration:
    """Fit all that `Calibration` holds; the classifier's own calibration, if it has one, plays no part.

    Raises `CorollaError` if there are no training pictures, or fewer than 20 for validation.
    """
    val, train = manifest.split("val"), manifest.split("train")
    if not can_calibrate(manifest):
        raise CorollaError(
            f"calibrating needs training pictures and {FEWEST} or more for validation; "
            f"there are {len(train)} and {len(val)}"
        )
    train, damaged = some(train, TRAINING), some(val, DAMAGED)
    total, done = len(val) + len(train) + len(OUTLIERS) * len(damaged), 0

    def look(examples: Sequence[Example], change: Change | None = None) -> Outputs:
        nonlocal done
        paths, parts = [manifest.locate(example) for example in examples], []
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            parts.append(classifier.compute(pixels_of(classifier, batch, change, start)))
            done += len(batch)
            if progress:
                progress("calibrating", done, total)
        return Outputs.joined(parts)

    known, labels = look(val), places(val, classifier.classes)
    temperature = fit_temperature(known.probabilities, labels)
    trained, trained_labels = look(train), places(train, classifier.classes)
    scores = [Score.fit(kind, trained, trained_labels, known) for kind in KINDS]
    novelties = [Novelty.fit(mixture, known) for mixture in mixtures(scores)]
    separation: dict[str, dict[str, float]] = {novelty.name: {} for novelty in novelties}
    for name, change in OUTLIERS.items():
        strange = look(damaged, change)
        for novelty in novelties:
            separation[novelty.name][name] = auroc(novelty, known, strange)
    best = max(novelties, key=lambda novelty: float(np.mean(list(separation[novelty.name].values()))))
    return Calibration(
        temperature,
        Conformal.fit(tempered(known.probabilities, temperature), labels),
        best,
        {"val": len(val), "train": len(train), "auroc_on_damaged": separation},
    )


def passes(manifest: Manifest) -> int:
    """How many images `calibrate` predicts."""
    val, train = manifest.size("val"), manifest.size("train")
    return val + min(train, TRAINING) + len(OUTLIERS) * min(val, DAMAGED) if can_calibrate(manifest) else 0


def can_calibrate(manifest: Manifest) -> bool:
    """Whether there are enough pictures to promise anything."""
    return bool(manifest.split("train")) and len(manifest.split("val")) >= FEWEST


def auroc(novelty: Novelty, known: Outputs, strange: Outputs) -> float:
    """How often a strange picture scores higher than a known one, ties counting half."""
    from sklearn.metrics import roc_auc_score

    scores = [novelty.score(outputs) for outputs in (known, strange)]
    return float(roc_auc_score(np.repeat([0, 1], [len(each) for each in scores]), np.concatenate(scores)))


def some(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """Up to `most` of the examples, the same ones again, in their order."""
    chosen = np.random.default_rng(0).permutation(len(examples))[:most]
    return tuple(examples[index] for index in np.sort(chosen))


def places(examples: Sequence[Example], classes: Sequence[str]) -> NDArray[np.int64]:
    """The places of their labels among the classes."""
    place = {name: index for index, name in enumerate(classes)}
    return np.array([place[example.label] for example in examples], np.int64)


def pixels_of(classifier: Classifier, paths: Sequence[Path], change: Change | None = None, first: int = 0) -> Pixels:
    """The pictures as the model sees them (B, H, W, 3), each changed with dice of its own place, or as it is."""
    rows = []
    for place, path in enumerate(paths, start=first):
        pixels = classifier.pixels(path)
        rows.append(change(pixels, np.random.default_rng(place)) if change else pixels)
    return np.stack(rows)
