"""The same classifier behind LitServe, as its documentation shows: dynamic batching, images in base64.

python benchmarks/contenders/litserve_server.py RUN PORT BATCH
"""

import base64
import sys
from typing import Any

import litserve
import numpy as np
from numpy.typing import NDArray

from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.predictor import ModelOutput


class Classify(litserve.LitAPI):
    """Decodes, batches and predicts in the single process that LitServe starts for it."""

    def __init__(self, run: str, batch: int) -> None:
        super().__init__(max_batch_size=batch, batch_timeout=0.005, api_path="/v1/predict")
        self.run = run

    def setup(self, device: str) -> None:
        self.classifier = Classifier.load(self.run)

    def decode_request(self, request: dict[str, Any]) -> NDArray[np.uint8]:
        pixels = self.classifier.read(base64.b64decode(request["images"][0]))
        assert not isinstance(pixels, ImageError)
        return pixels

    def batch(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return np.stack(inputs)

    def predict(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        return self.classifier.infer(pixels if pixels.ndim == 4 else pixels[None])

    def unbatch(self, output: list[ModelOutput]) -> list[ModelOutput]:
        return output

    def encode_response(self, output: ModelOutput | list[ModelOutput]) -> dict[str, Any]:
        output = output if isinstance(output, ModelOutput) else output[0]
        return {"predictions": [self.classifier.to_prediction(output).to_json()]}


if __name__ == "__main__":
    run, port, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    server = litserve.LitServer(Classify(run, batch), accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
