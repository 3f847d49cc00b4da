"""The sections of the report, each from a run and its evaluation to the values that its template shows.

A new section is a function here that returns a `Section` or None, its place in `SECTIONS`, and a template.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.evaluation.metrics import Evaluation
from corolla.evaluation.reliability import ece, reliability
from corolla.evaluation.robustness import Robustness
from corolla.report import facts
from corolla.report.curves import curves_svg, learned
from corolla.report.gallery import Tile, mistake_tiles, right_tiles
from corolla.report.plots import confidence_svg, robustness_svg
from corolla.run import Config, Run

MOST_IN_MATRIX = 30  # classes; a larger matrix is not readable, so its largest cells are listed instead
MOST_PAIRS = 40
MOST_SKIPPED = 500
SMALLEST_GROUP = 5  # images; the accuracy of fewer means nothing
MOST_GROUPS = 30


@dataclass(frozen=True)
class Material:
    """Everything the sections are made from; the tiles are made once, since several sections use them."""

    run: Run
    config: Config
    evaluation: Evaluation | None
    manifest: Manifest | None
    robustness: Robustness | None = None
    classifier: Classifier | None = None  # that made the predictions, to explain its errors

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The epochs."""
        return [row for row in self.run.history() if isinstance(row, dict)]

    @property
    def root(self) -> Path | None:
        """The folder of the evaluated images, if it is known."""
        if self.evaluation and self.evaluation.root:
            return self.evaluation.root
        return self.manifest.root if self.manifest else None

    @cached_property
    def mistakes(self) -> list[Tile]:
        """The errors that are shown with images, the most confident first."""
        if self.evaluation is None:
            return []
        return mistake_tiles(self.evaluation, self.root, self.config.preprocessing, self.classifier)

    @cached_property
    def right(self) -> list[Tile]:
        """The correct predictions that are shown with images, the most confident first."""
        return right_tiles(self.evaluation, self.root, self.config.preprocessing) if self.evaluation else []


@dataclass(frozen=True)
class Section:
    """A part of the page: `name` is its anchor and names its template, `section_NAME.html.j2`."""

    name: str
    title: str
    values: dict[str, Any]

    @property
    def template(self) -> str:
        """The file that shows it."""
        return f"section_{self.name}.html.j2"


def headline(material: Material) -> Section:
    """The accuracy, its interval and a baseline."""
    evaluation = material.evaluation
    values: dict[str, Any] = {
        "best": material.config.training.get("best_val_accuracy"),
        "verdict": facts.verdict(material.config),
    }
    if evaluation:
        label, share = facts.chance(evaluation)
        values |= {
            "measured": facts.measured_on(evaluation),
            "wrong": int((~evaluation.correct).sum()),
            "chance": (label, share),
            "caveats": facts.caveats(evaluation),
            "elsewhere": facts.elsewhere(material.config, evaluation),
        }
    return Section("headline", "Result", values)


def curves(material: Material) -> Section | None:
    """The training curves."""
    if not material.history:
        return None
    panels = curves_svg(material.history) if learned(material.history) else []
    return Section("curves", "Learning", {"panels": panels, "said": facts.learning(material.config, material.history)})


def training(material: Material) -> Section:
    """What was trained, on what, for how long."""
    values = {"facts": facts.training(material.config), "recipe": facts.recipe(material.config)}
    return Section("training", "Training", values)


def data(material: Material) -> Section | None:
    """How many images of which class in which split, and those left out."""
    counts, skipped = facts.counts(material.config), facts.skipped(material.config)
    if counts is None:
        return None
    values = {
        "counts": counts,
        "names": [facts.SPLIT_NAMES[split] for split in counts.splits],
        "source": facts.text(material.config.data.get("source")),
        "digest": facts.text(material.config.data.get("digest")),
        "notes": facts.notes(material.config),
        "skipped": skipped[:MOST_SKIPPED],
        "skipped_in_all": sum(one.count for one in skipped),
        "skipped_more": len(skipped) > MOST_SKIPPED,
    }
    return Section("data", "Data", values)


def confusion(material: Material) -> Section | None:
    """The confusion matrix; its cells are links to their images."""
    evaluation = material.evaluation
    if evaluation is None:
        return None
    matrix = evaluation.confusion
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    wrong = np.argwhere(matrix * (1 - np.eye(len(matrix), dtype=np.int64)))
    fullest = sorted((tuple(map(int, cell)) for cell in wrong), key=lambda cell: (-int(matrix[cell]), cell))
    values = {
        "matrix": matrix.tolist() if len(matrix) <= MOST_IN_MATRIX else None,
        "shares": shares.tolist(),
        "pairs": [
            (row, column, int(matrix[row, column]), float(shares[row, column])) for row, column in fullest[:MOST_PAIRS]
        ],
        "pairs_in_all": len(fullest),
        "with_images": {tile.cell for tile in (*material.mistakes, *material.right)},
    }
    return Section("confusion", "Confusions", values)


def per_class(material: Material) -> Section | None:
    """Precision, recall and F1 of every class."""
    return Section("per_class", "Class by class", {}) if material.evaluation else None


def confidence(material: Material) -> Section | None:
    """The calibration of probabilities, the coverage of prediction sets, and the fraction of accepted images."""
    evaluation = material.evaluation
    if evaluation is None:
        return None
    trust, curve = evaluation.trust, evaluation.selective
    bins = trust.bins if trust else reliability(evaluation.probabilities, evaluation.labels)
    values = {
        "panels": confidence_svg(bins, trust.uncalibrated_bins if trust else (), curve),
        "trust": trust,
        "ece": ece(bins),
        "shares": {wanted: curve.share_at(wanted) for wanted in (0.95, 0.99)},
    }
    return Section("confidence", "Confidence", values)


def groups(material: Material) -> Section | None:
    """Accuracy group by group, if the data has groups of more than a few images."""
    found = material.evaluation.per_group if material.evaluation else ()
    large = [figures for figures in found if figures.n >= SMALLEST_GROUP]
    if len(large) < 2:
        return None
    shown = sorted(large[:MOST_GROUPS], key=lambda figures: (figures.accuracy, -figures.n))
    return Section("groups", "Group by group", {"shown": shown, "in_all": len(found)})


def robustness(material: Material) -> Section | None:
    """How accuracy falls under common corruptions, if that was measured."""
    measured = material.robustness
    if measured is None:
        return None
    values = {
        "panels": robustness_svg(measured),
        "mean": measured.mean,
        "untouched": measured.untouched / measured.n,
    }
    return Section("robustness", "Corrupted images", values)


def mistakes(material: Material) -> Section | None:
    """The errors, the most confident first."""
    evaluation = material.evaluation
    if evaluation is None:
        return None
    return Section("mistakes", "Errors", answers(material.mistakes, evaluation, int((~evaluation.correct).sum())))


def right(material: Material) -> Section | None:
    """Some correct predictions, from the most to the least confident."""
    evaluation = material.evaluation
    if evaluation is None or not evaluation.correct.any():
        return None
    return Section("right", "Correct predictions", answers(material.right, evaluation, int(evaluation.correct.sum())))


def answers(tiles: list[Tile], evaluation: Evaluation, in_all: int) -> dict[str, Any]:
    """The values of a gallery: its tiles, how many are visible at once, and the number of images of each cell."""
    shown = Counter(tile.cell for tile in tiles)
    return {
        "tiles": tiles,
        "at_once": sum(tile.at_once for tile in tiles),
        "explained": sum(tile.why is not None and bool(tile.why.address) for tile in tiles),
        "in_all": in_all,
        "cells": [(cell, shown[cell], int(evaluation.confusion[cell])) for cell in sorted(shown)],
    }


SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    headline,
    confusion,
    mistakes,
    right,
    per_class,
    confidence,
    groups,
    robustness,
    curves,
    data,
    training,
)
