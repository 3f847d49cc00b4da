"""The predictor of an exported file: it reads images and names predictions with the same code as a run's model."""

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError
from corolla.formats import EXPORTED
from corolla.onnx_runtime.backends import Backend, Compute, open_file
from corolla.onnx_runtime.metadata import KEY, OnnxMetadata
from corolla.paths import AnyPath, at
from corolla.predictor import ModelOutput, Predictor

MAX_BYTES = 2**31  # the format's limit for one file
ELSEWHERE = b"\n\x08location"  # start of an entry that names an external file of weights, which a runtime would read
PROBABILITIES, OOD_SCORE, ROLLOUT = "probabilities", "ood_score", "rollout"


class OnnxPredictor(Predictor):
    """An exported file, computed by ONNX Runtime or OpenVINO. Calls from several threads are safe."""

    def __init__(self, card: OnnxMetadata, compute: Compute) -> None:
        self.card = card
        self.compute = compute
        self.preprocessing = card.preprocessing
        self.classes = card.classes
        self.calibration = card.promises

    @staticmethod
    def load(file: AnyPath, backend: Backend = "onnxruntime", threads: int | None = None) -> "OnnxPredictor":
        """The predictor of a file from `corolla export`; `threads` None is the backend's default.

        Raises `CorollaError` if it is missing, damaged, or not from corolla.
        """
        path = at(file)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("it is too large")
            content = path.read_bytes()
            if ELSEWHERE in content:
                raise ValueError("it stores weights in other files, which are not opened")
            compute, outputs, metadata = open_file(content, backend, threads)
            if KEY not in metadata:
                raise ValueError("it is not from `corolla export`, so the meaning of its outputs is unknown")
            card = OnnxMetadata.from_text(metadata[KEY])
            written = {EXPORTED.get(name, name): name for name in outputs}  # the file's name of each output
            wanted = {PROBABILITIES, ROLLOUT} | ({OOD_SCORE} if card.ood_score else set())
            if not wanted <= written.keys():
                raise ValueError(f"it lacks the outputs {', '.join(sorted(wanted - written.keys()))}")
        except CorollaError:
            raise
        except FileNotFoundError:
            raise CorollaError(f"cannot read {path}: no such file") from None
        except Exception as error:  # the libraries raise any exception for a broken file
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise CorollaError(f"cannot read {path}: {reason}") from None
        return OnnxPredictor(card, lambda pixels, names: compute(pixels, [written[name] for name in names]))

    def infer(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """The outputs for each of the preprocessed images (B, H, W, 3)."""
        names = [PROBABILITIES, OOD_SCORE] if self.card.ood_score else [PROBABILITIES]
        probabilities, *scored = self.compute(pixels, names)
        if probabilities.shape != (len(pixels), len(self.classes)) or not np.isfinite(probabilities).all():
            raise CorollaError("the file returns NaN or infinite values; it is damaged, export it again")
        scores = scored[0].tolist() if scored else [None] * len(pixels)
        return [ModelOutput(row, score) for row, score in zip(probabilities, scores, strict=True)]

    def explain(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The attention rollout (B, rows, columns) of preprocessed images (B, H, W, 3)."""
        return self.compute(pixels, [ROLLOUT])[0]
