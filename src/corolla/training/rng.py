"""Seeds of the random numbers in a training, and a stream of them per image, whatever batch the image is in."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def seed_of(*parts: int | str) -> int:
    """A seed that depends only on `parts` and looks random in each of them."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # torch takes 63 bits


class SampleRng:
    """A stream of uniform random numbers for each image of a batch, which depends on its seed alone."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.streams = [np.random.Generator(np.random.Philox(key=seed)) for seed in seeds]

    def random(self, count: int) -> NDArray[np.float64]:
        """The next `count` numbers in [0, 1) of each image (B, count)."""
        return np.stack([stream.random(count) for stream in self.streams])


def between(uniform: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) scaled to `low` to `high`."""
    return low + uniform * (high - low)
