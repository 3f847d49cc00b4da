"""Which answers the report shows with their images, and the tiles that show them."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corolla.classifier import Classifier
from corolla.evaluation.metrics import Evaluation
from corolla.preprocessing import Preprocessing
from corolla.report.explained import explained
from corolla.report.thumbnails import Thumbnail, thumbnails

SHOWN = 48  # mistakes in the gallery as it opens
BEHIND_A_CELL = 12  # mistakes that a cell of the confusion matrix can open
MOST = 240  # mistakes with an image: what keeps the page at a few megabytes
EXPLAINED = 24  # mistakes that are shown with what they rest on
RIGHT = 10  # right answers as the gallery opens
RIGHT_BEHIND = 6  # right answers that a class's cell can open, its most doubtful
MOST_RIGHT = 90


@dataclass(frozen=True)
class Tile:
    """One answer with its image."""

    path: str
    given: str  # the label of the image
    answered: str
    probability: float  # of the answer
    cell: tuple[int, int]  # places of the label and of the answer among the classes
    image: Thumbnail
    at_once: bool = True  # False: only once its cell is chosen
    why: Thumbnail | None = None  # what the answer rests on, to lie over the image


def mistake_tiles(
    evaluation: Evaluation, root: Path | None, preprocessing: Preprocessing, classifier: Classifier | None = None
) -> list[Tile]:
    """The most confident mistakes, and behind them some of every cell of the confusion matrix, in that order.

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
    # Every cell's surest first, so that a page with many classes has something behind as many cells as possible.
    chosen |= dict.fromkeys((index for _, index in sorted(behind, key=lambda b: b[0])[: MOST - len(chosen)]), False)
    made = tiles(evaluation, [int(index) for index in order if index in chosen], chosen, root, preprocessing)
    if classifier is None or root is None:
        return made
    whys = explained(classifier, [root / tile.path for tile in made[:EXPLAINED]])
    return [replace(tile, why=why) for tile, why in zip(made, whys, strict=False)] + made[EXPLAINED:]


def right_tiles(evaluation: Evaluation, root: Path | None, preprocessing: Preprocessing) -> list[Tile]:
    """A few right answers at even steps from the surest to the most doubtful, and behind them each class's doubtful."""
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
    """The tiles of the answers at `indices`, their images read from under `root`."""
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
    """Row and column of an answer in the confusion matrix."""
    return int(evaluation.labels[index]), int(evaluation.predicted[index])
