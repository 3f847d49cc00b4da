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
    from corolla.configuration import ViTConfig
    from corolla.data.sources import load_data
    from corolla.errors import CorollaError
    from corolla.evaluation.evaluate import evaluate
    from corolla.explanations.explanation import Explanation
    from corolla.explanations.maps import explain
    from corolla.model import ViT
    from corolla.paths import AnyPath
    from corolla.predictor import Numbers, Prediction, Predictor
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
    "Explanation": "corolla.explanations.explanation",
    "Prediction": "corolla.predictor",
    "Predictor": "corolla.predictor",
    "Preprocessing": "corolla.preprocessing",
    "ViT": "corolla.model",
    "ViTConfig": "corolla.configuration",
    "evaluate": "corolla.evaluation.evaluate",
    "explain": "corolla.explanations.maps",
    "load_data": "corolla.data.sources",
    "train": "corolla.training.train",
}


def load(run: "AnyPath", device: str = "cpu", precision: "Numbers" = "fp32") -> "Predictor":
    """What answers: the trained classifier of a run folder, or a file that was exported from one.

    A run and its file answer the same to the printed digit; `precision="bf16"` lets a run be faster where the device
    has units for it, and moves the third digit. A file computes as it was exported.
    """
    from corolla.pretrained import EXPORTED

    if str(run).endswith(EXPORTED):
        from corolla.portable.predictor import OnnxPredictor, refuse_precision

        refuse_precision(precision)
        return OnnxPredictor.load(run)
    from corolla.classifier import Classifier
    from corolla.precision import answers_in

    return Classifier.load(run, device, answers_in(precision))


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'corolla' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
