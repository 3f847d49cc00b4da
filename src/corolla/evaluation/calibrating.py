"""Calibrate a model on images that it was not trained on.

The validation split gives the temperature, the conformal scores and the OOD threshold; the training split gives the
distribution of ordinary features. The test split is not used.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.data.progress import Progress
from corolla.errors import CorollaError
from corolla.predictor import batches_of
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.ood import KINDS, OODDetector, Outputs, Score, mixtures
from corolla.uncertainty.outliers import OUTLIERS, Pixels
from corolla.uncertainty.temperature import apply_temperature, fit_temperature

FEWEST = 20  # validation images; with fewer no coverage can be guaranteed
# How many images are used by default, and the least numbers under a time limit. Measured on the bundled run
# (benchmarks/README.md): with more images, neither coverage nor OOD detection changes significantly.
TRAINING, PER_CLASS, MOST_TRAINING = 600, 6, 1500
DAMAGED = 60
LEAST_TRAINING, LEAST_PER_CLASS, LEAST_DAMAGED, LEAST_VALIDATION = 200, 2, 20, 300

Change = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Amount:
    """How many images a calibration uses: of validation, of training, and of validation for each outlier function."""

    val: int
    train: int
    damaged: int

    @property
    def passes(self) -> int:
        """The total number of images that the model predicts."""
        return self.val + self.train + len(OUTLIERS) * self.damaged


def amount_of(manifest: Manifest, most_passes: int | None = None) -> Amount:
    """How many images of this data `calibrate` uses; its time is proportional to `passes`.

    `most_passes` is a limit: it reduces outliers and training images first, then validation, but never below what a
    calibration needs. The result depends on these numbers alone, and so does the calibration.
    """
    val, train, classes = len(manifest.split("val")), len(manifest.split("train")), len(manifest.classes)
    full = Amount(val, min(train, max(TRAINING, PER_CLASS * classes), MOST_TRAINING), min(val, DAMAGED))
    if most_passes is None or full.passes <= most_passes:
        return full
    fewest = min(full.train, max(LEAST_TRAINING, LEAST_PER_CLASS * classes))
    least = Amount(min(val, LEAST_VALIDATION), fewest, min(full.damaged, LEAST_DAMAGED))
    beside = Amount(0, full.train - least.train, full.damaged - least.damaged)
    spare = most_passes - val - (least.passes - least.val)
    if spare < 0:  # still too many: use fewer validation images too
        return Amount(max(val + spare, least.val), least.train, least.damaged)
    share = spare / beside.passes  # below 1, because all images are too many
    return Amount(val, least.train + int(share * beside.train), least.damaged + int(share * beside.damaged))


def calibrate(
    classifier: Classifier, manifest: Manifest, progress: Progress | None = None, most_passes: int | None = None
) -> Calibration:
    """Fit a `Calibration`; the classifier's own calibration, if it has one, is ignored.

    It uses `amount_of(manifest, most_passes)` images, and the result depends on nothing else.
    Raises `CorollaError` if there are no training images, or fewer than 20 for validation.
    """
    val, train = manifest.split("val"), manifest.split("train")
    if not can_calibrate(manifest):
        raise CorollaError(
            f"calibrating needs training images and at least {FEWEST} validation images; "
            f"there are {len(train)} and {len(val)}"
        )
    amount, done = amount_of(manifest, most_passes), 0
    val, train = some(val, amount.val), some(train, amount.train)

    def look(batches: Iterator[Pixels]) -> Outputs:
        nonlocal done
        parts = []
        for pixels in batches:
            parts.append(classifier.raw_outputs(pixels))
            done += len(pixels)
            if progress:
                progress("calibrating", done, amount.passes)
        return Outputs.joined(parts)

    damaged = set(some(val, amount.damaged))
    kept: list[Pixels] = []  # the source images of the outliers, decoded once

    def read(examples: Sequence[Example], keep: bool) -> Iterator[Pixels]:
        paths = [manifest.locate(example) for example in examples]
        for start, pixels in batches_of(len(paths), lambda place: classifier.pixels(paths[place])):
            here = examples[start : start + len(pixels)]
            kept.extend(each for each, example in zip(pixels, here, strict=True) if keep and example in damaged)
            yield pixels

    def change_all(change: Change) -> Iterator[Pixels]:
        made = batches_of(len(kept), lambda place: change(kept[place], np.random.default_rng(place)))
        return (pixels for _, pixels in made)

    known, labels = look(read(val, keep=True)), places(val, classifier.classes)
    temperature = fit_temperature(known.probabilities, labels)
    trained, trained_labels = look(read(train, keep=False)), places(train, classifier.classes)
    scores = [Score.fit(kind, trained, trained_labels, known) for kind in KINDS]
    detectors = [OODDetector.fit(mixture, known) for mixture in mixtures(scores)]
    separation: dict[str, dict[str, float]] = {detector.name: {} for detector in detectors}
    for name, change in OUTLIERS.items():
        strange = look(change_all(change))
        for detector in detectors:
            separation[detector.name][name] = auroc(detector, known, strange)
    best = max(detectors, key=lambda detector: float(np.mean(list(separation[detector.name].values()))))
    return Calibration(
        temperature,
        Conformal.fit(apply_temperature(known.probabilities, temperature), labels),
        best,
        {"val": len(val), "train": len(train), "auroc_on_damaged": separation},
    )


def can_calibrate(manifest: Manifest) -> bool:
    """Whether there are enough images to calibrate."""
    return bool(manifest.split("train")) and len(manifest.split("val")) >= FEWEST


def auroc(detector: OODDetector, known: Outputs, strange: Outputs) -> float:
    """The AUROC: how often an outlier scores higher than a known image, ties counting half."""
    from sklearn.metrics import roc_auc_score

    scores = [detector.score(outputs) for outputs in (known, strange)]
    return float(roc_auc_score(np.repeat([0, 1], [len(each) for each in scores]), np.concatenate(scores)))


def some(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """A deterministic sample of up to `most` examples, in their order.

    It is stratified by class, with at least one example of each class if `most` allows.
    """
    if most >= len(examples):
        return tuple(examples)
    seen: dict[str, int] = {}
    turns = []  # each example's rank within its class in shuffled order, as a fraction of the class
    shuffled = np.random.default_rng(0).permutation(len(examples)).tolist()
    sizes = Counter(example.label for example in examples)
    for index in shuffled:
        label = examples[index].label
        turn = seen[label] = seen.get(label, -1) + 1
        turns.append(((turn + 0.5) / sizes[label] if turn else 0.0, index))
    chosen = [index for _, index in sorted(turns, key=lambda turn: turn[0])[:most]]
    return tuple(examples[index] for index in sorted(chosen))


def places(examples: Sequence[Example], classes: Sequence[str]) -> NDArray[np.int64]:
    """The class numbers of the examples' labels."""
    place = {name: index for index, name in enumerate(classes)}
    return np.array([place[example.label] for example in examples], np.int64)


def pixels_of(classifier: Classifier, paths: Sequence[Path]) -> Pixels:
    """The preprocessed images (B, H, W, 3)."""
    return np.stack([classifier.pixels(path) for path in paths])
