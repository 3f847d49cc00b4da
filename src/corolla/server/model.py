"""What a server serves: something that answers, what is known of it, and how it explains itself.

Only `serve_run` loads torch, so that a file which was exported for machines without it can be served there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from corolla.evaluation.metrics import wilson
from corolla.predictor import Predictor
from corolla.server.limits import Limits

if TYPE_CHECKING:
    from corolla.run import Config, Run

# From preprocessed pictures (B, H, W, 3) to a map for each (B, rows, columns); larger is more.
Explain = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
EXPLAINED_TOGETHER = 8  # pictures


@dataclass(frozen=True)
class Accuracy:
    """The share of `pictures` of a split that was answered right, with its 95 % interval."""

    value: float
    low: float
    high: float
    pictures: int
    split: str


@dataclass(frozen=True)
class Facts:
    """What a model says of itself."""

    name: str
    architecture: str
    parameters: int | None = None
    accuracy: Accuracy | None = None
    ended: str | None = None  # when its training ended, ISO 8601


@dataclass(frozen=True)
class Served:
    """A predictor with all that a server tells of it."""

    predictor: Predictor
    facts: Facts
    explain: Explain | None = None
    method: str | None = None  # of `explain`
    report: Path | None = None  # a self-contained page


def serve_run(run: str | Path, device: str = "cpu", workers: int = Limits.workers) -> Served:
    """A run folder, or a run that comes with corolla, ready to answer; `CorollaError` if it is neither, or damaged.

    The processor's threads are shared out between `workers` batches that are computed at once.
    """
    import torch

    from corolla.classifier import Classifier
    from corolla.explanations import DEFAULT
    from corolla.explanations.maps import explain_pixels
    from corolla.pretrained import run_folder
    from corolla.run import Run

    folder = Run(run_folder(run))
    classifier = Classifier.load(folder.folder, device)
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))

    def explain(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.stack([found.map for [found] in explain_pixels(classifier, pixels, [DEFAULT])])

    report = folder.report if folder.report.is_file() else None
    return Served(classifier, facts_of(folder, folder.load_config()), explain, DEFAULT, report)


def warm_up(served: Served) -> None:
    """Answer about nothing once: the first is the slowest, and damaged weights are told before anybody asks."""
    served.predictor.reply(np.zeros((1, *served.predictor.preprocessing.image_size, 3), np.uint8))


def facts_of(run: "Run", config: "Config") -> Facts:
    """What a run's files say of it, which may be from anybody."""
    parameters, ended = config.training.get("parameters"), config.training.get("ended")
    return Facts(
        name=run.folder.resolve().name,
        architecture=config.model,
        parameters=parameters if isinstance(parameters, int) else None,
        accuracy=tested(run.evaluation_file) or validated(config),
        ended=ended if isinstance(ended, str) else None,
    )


def tested(file: Path) -> Accuracy | None:
    """The accuracy of the last evaluation on test pictures that were not trained on, if one was kept."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said["split"] != "test" or said["trained_on"]:
            return None
        return accuracy(said["accuracy"], said["n"], "test")
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None


def validated(config: "Config") -> Accuracy | None:
    """The accuracy on the validation pictures, which is all that a run without an evaluation knows."""
    try:
        pictures = sum(config.data["counts"]["val"].values())
        return accuracy(config.training["best_val_accuracy"], pictures, "val")
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return None


def accuracy(share: Any, pictures: Any, split: str) -> Accuracy:
    """With its interval; ValueError or TypeError for what are no such numbers."""
    low, high = wilson(round(share * pictures), int(pictures))
    return Accuracy(float(share), low, high, int(pictures), split)
