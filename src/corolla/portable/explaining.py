"""What an exported file's answers rest on: attention rollout, which its graph computes beside them.

Relevance, the better map, needs gradients, and a file has none.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from corolla.data.decoding import PictureError
from corolla.data.given import Picture
from corolla.explanations.explanation import Explanation
from corolla.portable.predictor import PortablePredictor


def explain_by_file(
    predictor: PortablePredictor, pictures: Sequence[Picture]
) -> Iterator[tuple[int, list[Explanation] | PictureError]]:
    """Each picture's place with its explanation, or why it cannot be read, in order."""
    for place, picture in enumerate(pictures):
        pixels = predictor.read(picture)
        if isinstance(pixels, PictureError):
            yield place, pixels
            continue
        [reply], [rollout] = predictor.reply(pixels[None]), predictor.explain(pixels[None])
        answer = int(np.argmax(reply.probabilities))
        label, probability = predictor.classes[answer], float(reply.probabilities[answer])
        yield place, [Explanation("rollout", label, probability, rollout, pixels)]
