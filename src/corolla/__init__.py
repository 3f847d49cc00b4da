"""corolla: an accurate, honest Vision Transformer classifier from a folder of labeled images.

    import corolla
    run = corolla.train("flowers", "runs/flowers", minutes=30)
    corolla.load("runs/flowers").predict("rose.jpg").label

Nothing heavy is imported until one of these names is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corolla.classifier import Classifier
    from corolla.data.sources import load_data
    from corolla.errors import CorollaError
    from corolla.evaluation.evaluate import evaluate
    from corolla.explanations.maps import explain
    from corolla.explanations.overlay import Explanation
    from corolla.loading import load
    from corolla.models.config import ViTConfig
    from corolla.models.vit import ViT
    from corolla.predictor import Prediction, Predictor
    from corolla.preprocessing import Preprocessing
    from corolla.training.train import train

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "CorollaError",
    "Explanation",
    "Prediction",
    "Predictor",
    "Preprocessing",
    "ViT",
    "ViTConfig",
    "evaluate",
    "explain",
    "load",
    "load_data",
    "train",
]

_HOMES = {
    "Classifier": "corolla.classifier",
    "CorollaError": "corolla.errors",
    "Explanation": "corolla.explanations.overlay",
    "Prediction": "corolla.predictor",
    "Predictor": "corolla.predictor",
    "Preprocessing": "corolla.preprocessing",
    "ViT": "corolla.models.vit",
    "ViTConfig": "corolla.models.config",
    "evaluate": "corolla.evaluation.evaluate",
    "explain": "corolla.explanations.maps",
    "load": "corolla.loading",
    "load_data": "corolla.data.sources",
    "train": "corolla.training.train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'corolla' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
