"""What a server serves: something that answers, what is known of it, and how it explains itself.

Only `serve_run` loads torch, so that a file which was exported for machines without it can be served there.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError
from corolla.evaluation.facts import Facts, facts_of
from corolla.paths import AnyPath, at
from corolla.portable.backends import Backend
from corolla.portable.predictor import OnnxPredictor
from corolla.predictor import Numbers, Predictor
from corolla.server.limits import Limits

# From preprocessed images (B, H, W, 3) to a map for each (B, rows, columns); larger is more.
Explain = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
EXPLAINED_TOGETHER = 8  # images


@dataclass(frozen=True)
class Served:
    """A predictor with all that a server tells of it."""

    predictor: Predictor
    facts: Facts
    explain: Explain | None = None
    method: str | None = None  # of `explain`
    report: Path | None = None  # a self-contained page
    file: Path | None = None  # that was exported, for a browser to compute itself


def serve_run(run: AnyPath, device: str = "cpu", workers: int = Limits.workers, precision: Numbers = "fp32") -> Served:
    """A run folder, or a run that comes with corolla, ready to answer; `CorollaError` if it is neither, or damaged.

    The processor's threads are shared out between `workers` batches that are computed at once. A model whose attention
    would fill the memory answers without explanations.
    """
    import torch

    from corolla.classifier import Classifier
    from corolla.explanations import DEFAULT
    from corolla.explanations.maps import explain_pixels, images_at_once
    from corolla.precision import answers_in
    from corolla.pretrained import run_folder
    from corolla.run import Run

    folder = Run(run_folder(run))
    classifier = Classifier.load(folder.folder, device, answers_in(precision))
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))

    report = folder.report if folder.report.is_file() else None
    served = Served(classifier, facts_of(folder), report=report)
    try:
        together = images_at_once(classifier)
    except CorollaError:
        return served

    def explain(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [pixels[start : start + together] for start in range(0, len(pixels), together)]
        return np.stack([found.map for part in parts for [found] in explain_pixels(classifier, part, [DEFAULT])])

    return replace(served, explain=explain, method=DEFAULT)


def serve_file(file: AnyPath, backend: Backend = "onnxruntime", workers: int = 1) -> Served:
    """A file that was exported, ready to answer without torch; `CorollaError` if it is none, or damaged."""
    predictor = OnnxPredictor.load(file, backend, max(1, (os.cpu_count() or 1) // workers))
    facts = Facts.from_json(predictor.card.about | {"name": predictor.card.name})
    return Served(predictor, facts, predictor.explain, "rollout", file=at(file))


def warm_up(served: Served) -> None:
    """Answer about nothing once: the first is the slowest, and damaged weights are told before anybody asks."""
    served.predictor.reply(np.zeros((1, *served.predictor.preprocessing.image_size, 3), np.uint8))
