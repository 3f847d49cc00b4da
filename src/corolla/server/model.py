"""What a server serves: a predictor, the facts about it, and its explanations.

Torch is loaded for a run alone, so that an exported file can be served on machines without it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError
from corolla.evaluation.facts import Facts, facts_of
from corolla.loading import load
from corolla.onnx_runtime.backends import Backend
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.paths import AnyPath, at
from corolla.predictor import Numbers, Predictor
from corolla.server.limits import Limits

# From preprocessed images (B, H, W, 3) to attribution maps (B, rows, columns).
Explain = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
EXPLAINED_TOGETHER = 8  # images


@dataclass(frozen=True)
class Served:
    """A predictor with everything that a server reports about it."""

    predictor: Predictor
    facts: Facts
    explain: Explain | None = None
    method: str | None = None  # of `explain`
    report: Path | None = None  # a self-contained page
    file: Path | None = None  # an exported file, for predictions in a browser


def load_served(
    path: AnyPath,
    device: str = "cpu",
    precision: Numbers = "fp32",
    backend: Backend = "onnxruntime",
    workers: int = Limits.workers,
) -> Served:
    """What `corolla.load` opens, with everything that a server reports; `CorollaError` for the same reasons.

    The processor's threads are shared by `workers` batches that are computed at once. A model whose attention
    would fill the memory predicts without explanations.
    """
    predictor = load(path, device, precision, backend, max(1, (os.cpu_count() or 1) // workers))
    if isinstance(predictor, OnnxPredictor):
        facts = Facts.from_json(predictor.card.about | {"name": predictor.card.name})
        return Served(predictor, facts, predictor.explain, "rollout", file=at(path))
    import torch

    from corolla.classifier import Classifier
    from corolla.explanations import DEFAULT
    from corolla.explanations.maps import explain_pixels, images_at_once
    from corolla.pretrained import run_folder
    from corolla.run import Run

    assert isinstance(predictor, Classifier)
    classifier, run = predictor, Run(run_folder(path))
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    served = Served(classifier, facts_of(run), report=run.report if run.report.is_file() else None)
    try:
        together = images_at_once(classifier)
    except CorollaError:
        return served

    def explain(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [pixels[start : start + together] for start in range(0, len(pixels), together)]
        return np.stack([found.map for part in parts for [found] in explain_pixels(classifier, part, [DEFAULT])])

    return replace(served, explain=explain, method=DEFAULT)


def warm_up(served: Served) -> None:
    """Predict a black image: the first prediction is the slowest, and corrupted weights are reported at once."""
    served.predictor.infer(np.zeros((1, *served.predictor.preprocessing.image_size, 3), np.uint8))
