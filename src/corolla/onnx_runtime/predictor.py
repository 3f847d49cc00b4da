"""The predictor of an exported file: it reads images and names predictions with the same code as a run's model."""

import numpy as np
from numpy.typing import NDArray

from corolla.errors import CorollaError
from corolla.onnx_runtime.backends import Backend, Compute, open_file
from corolla.onnx_runtime.metadata import KEY, OnnxMetadata
from corolla.paths import AnyPath, at
from corolla.predictor import ModelOutput, Predictor

MAX_BYTES = 2**31  # the format's limit for one file
ELSEWHERE = b"\n\x08location"  # start of an entry that names an external file of weights, which a runtime would read
PROBABILITIES, NOVELTY, ROLLOUT = "probabilities", "novelty", "rollout"


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
            wanted = {PROBABILITIES, ROLLOUT} | ({NOVELTY} if card.novelty else set())
            if not wanted <= set(outputs):
                raise ValueError(f"it lacks the outputs {', '.join(sorted(wanted - set(outputs)))}")
        except CorollaError:
            raise
        except FileNotFoundError:
            raise CorollaError(f"cannot read {path}: no such file") from None
        except Exception as error:  # the libraries raise any exception for a broken file
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise CorollaError(f"cannot read {path}: {reason}") from None
        return OnnxPredictor(card, compute)

    def infer(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """The outputs for each of the preprocessed images (B, H, W, 3)."""
        names = [PROBABILITIES, NOVELTY] if self.card.novelty else [PROBABILITIES]
        probabilities, *novelty = self.compute(pixels, names)
        if probabilities.shape != (len(pixels), len(self.classes)) or not np.isfinite(probabilities).all():
            raise CorollaError("the file returns NaN or infinite values; it is damaged, export it again")
        strange = novelty[0].tolist() if novelty else [None] * len(pixels)
        return [ModelOutput(row, each) for row, each in zip(probabilities, strange, strict=True)]

    def explain(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The attention rollout (B, rows, columns) of preprocessed images (B, H, W, 3)."""
        return self.compute(pixels, [ROLLOUT])[0]
