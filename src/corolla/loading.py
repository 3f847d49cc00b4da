"""The one door to a trained model: a run folder, a run that comes with corolla, or an exported file."""

from typing import TYPE_CHECKING

from corolla.errors import CorollaError
from corolla.paths import AnyPath
from corolla.pretrained import is_exported

if TYPE_CHECKING:
    from corolla.onnx_runtime.backends import Backend
    from corolla.predictor import Numbers, Predictor


def load(
    path: AnyPath,
    device: str = "cpu",
    precision: "Numbers" = "fp32",
    backend: "Backend" = "onnxruntime",
    threads: int | None = None,
) -> "Predictor":
    """The predictor of a run folder, of a run that comes with corolla, by its name, or of an exported file.

    A run and its file predict the same to the printed digit. `precision="bf16"` lets a run be faster on a `device` with
    units for it, and changes the third digit; a file computes on the CPU as it was exported, with `backend` and on
    `threads` (by default as many as the backend likes). Nothing of torch is loaded for a file.
    Raises `CorollaError` if it is none of them, or damaged.
    """
    if is_exported(path):
        from corolla.onnx_runtime.predictor import OnnxPredictor

        if precision != "fp32":
            raise CorollaError(f"an exported file computes as it was exported; leave out the precision {precision}")
        return OnnxPredictor.load(path, backend, threads)
    from corolla.classifier import Classifier
    from corolla.precision import answers_in

    return Classifier.load(path, device, answers_in(precision))
