"""Selects the predictions that the report shows with images, and makes their tiles."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.evaluation.metrics import Evaluation
from corolla.explanations import DEFAULT
from corolla.explanations.maps import explain_all
from corolla.preprocessing import Preprocessing
from corolla.report.thumbnails import Thumbnail, address_of, size_of, thumbnails

SHOWN = 48  # errors visible at once
BEHIND_A_CELL = 12  # further errors of a cell of the confusion matrix
MOST = 240  # errors with an image, for a page of a few megabytes
EXPLAINED = 24  # errors with an explanation
RIGHT = 10  # correct predictions visible at once
RIGHT_BEHIND = 6  # further correct predictions of a class, its least confident
MOST_RIGHT = 90


@dataclass(frozen=True)
class Tile:
    """One prediction with its image."""

    path: str
    given: str  # the true label
    answered: str
    probability: float  # of the predicted class
    cell: tuple[int, int]  # numbers of the true and of the predicted class
    image: Thumbnail
    at_once: bool = True  # False: visible only after a click on its cell
    why: Thumbnail | None = None  # the explanation, to lie over the image


def mistake_tiles(
    evaluation: Evaluation, root: Path | None, preprocessing: Preprocessing, classifier: Classifier | None = None
) -> list[Tile]:
    """The most confident errors, and further ones of every cell of the confusion matrix, the most confident first.

    With the classifier that made them, the first few are explained.
    """
    order = evaluation.mistakes()
    chosen = {int(index): True for index in order[:SHOWN]}
    rank: Counter[tuple[int, int]] = Counter()
    behind = []
    for index in order:
        cell = cell_of(evaluation, index)
        if index not in chosen and rank[cell] < BEHIND_A_CELL:
            behind.append((rank[cell], int(index)))
        rank[cell] += 1
    # Every cell's most confident first, so that with many classes as many cells as possible have images.
    chosen |= dict.fromkeys((index for _, index in sorted(behind, key=lambda b: b[0])[: MOST - len(chosen)]), False)
    made = tiles(evaluation, [int(index) for index in order if index in chosen], chosen, root, preprocessing)
    if classifier is None or root is None:
        return made
    whys = explained(classifier, [root / tile.path for tile in made[:EXPLAINED]])
    return [replace(tile, why=why) for tile, why in zip(made, whys, strict=False)] + made[EXPLAINED:]


def right_tiles(evaluation: Evaluation, root: Path | None, preprocessing: Preprocessing) -> list[Tile]:
    """A few correct predictions in even steps of confidence, and further ones of each class, its least confident."""
    right = np.flatnonzero(evaluation.correct)
    right = right[np.argsort(-evaluation.confidence[right], kind="stable")]
    steps = np.linspace(0, len(right) - 1, min(RIGHT, len(right))).round().astype(int)
    chosen = {int(right[step]): True for step in steps}
    rank: Counter[int] = Counter()
    behind = []
    for index in right[::-1]:
        label = int(evaluation.labels[index])
        if index not in chosen and rank[label] < RIGHT_BEHIND:
            behind.append((rank[label], int(index)))
        rank[label] += 1
    chosen |= dict.fromkeys((index for _, index in sorted(behind)[: MOST_RIGHT - len(chosen)]), False)
    return tiles(evaluation, [int(index) for index in right if index in chosen], chosen, root, preprocessing)


def tiles(
    evaluation: Evaluation,
    indices: list[int],
    at_once: dict[int, bool],
    root: Path | None,
    preprocessing: Preprocessing,
) -> list[Tile]:
    """The tiles of the predictions at `indices`, with their images from `root`."""
    if root is None:
        images = [Thumbnail(reason="its folder is not known")] * len(indices)
    else:
        images = thumbnails([root / evaluation.paths[index] for index in indices], preprocessing)
    return [
        Tile(
            path=evaluation.paths[index],
            given=evaluation.classes[cell[0]],
            answered=evaluation.classes[cell[1]],
            probability=float(evaluation.confidence[index]),
            cell=cell,
            image=image,
            at_once=at_once[index],
        )
        for index, image in zip(indices, images, strict=True)
        for cell in [cell_of(evaluation, index)]
    ]


def cell_of(evaluation: Evaluation, index: int | np.int64) -> tuple[int, int]:
    """Row and column of a prediction in the confusion matrix."""
    return int(evaluation.labels[index]), int(evaluation.predicted[index])


def explained(classifier: Classifier, paths: Sequence[Path]) -> list[Thumbnail]:
    """The attribution map of the default method for each image, or the reason why there is none; in order."""
    size = size_of(classifier.preprocessing)
    found = []
    for _, maps in explain_all(classifier, list(paths), (DEFAULT,)):
        if isinstance(maps, ImageError):
            found.append(Thumbnail(reason=maps.reason))
        else:
            image = maps[0].overlay().resize(size, Image.Resampling.BICUBIC)
            found.append(Thumbnail(address_of(image), *size))
    return found
