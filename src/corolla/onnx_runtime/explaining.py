"""Explanations by an exported file: attention rollout, which its graph computes with each prediction.

Relevance, the better attribution map, needs gradients, which a file does not have.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from corolla.data.decoding import ImageError
from corolla.data.image_input import ImageInput
from corolla.explanations.overlay import Explanation
from corolla.onnx_runtime.predictor import OnnxPredictor


def explain_by_file(
    predictor: OnnxPredictor, images: Sequence[ImageInput]
) -> Iterator[tuple[int, list[Explanation] | ImageError]]:
    """The index of each image with its explanation, or the reason why it cannot be read, in order."""
    for place, image in enumerate(images):
        pixels = predictor.read(image)
        if isinstance(pixels, ImageError):
            yield place, pixels
            continue
        [output], [rollout] = predictor.infer(pixels[None]), predictor.explain(pixels[None])
        answer = int(np.argmax(output.probabilities))
        label, probability = predictor.classes[answer], float(output.probabilities[answer])
        yield place, [Explanation("rollout", label, probability, rollout, pixels)]
