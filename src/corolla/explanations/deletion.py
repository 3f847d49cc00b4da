"""Is a map faithful to the prediction? The deletion and insertion metrics of RISE (Petsiuk, Das & Saenko 2018,
arXiv 1806.07421), in steps of patches.

Deletion: patches are replaced with the mean color, the most relevant first; the sooner the probability of the class
falls, the smaller the area under its curve, the better the map. Insertion: patches are inserted into a blurred image
in the same order; the larger the area, the better.

Both fillings are from the paper. Random erasing in training (arXiv 1708.04896) also fills with the mean color, so such
images are not unusual for corolla's models. The blur is as wide as a patch, so that only colors and large shapes of
the missing patches are visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from corolla.classifier import Classifier

Pixels = NDArray[np.uint8]
STEPS = 20  # until all patches are deleted
BATCH = 64  # images per forward pass


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of the class as patches are deleted and inserted, from the most relevant to the least."""

    shares: NDArray[np.float64]  # (steps + 1,) of the patches, from 0 to 1
    deletion: NDArray[np.float32]  # (maps, steps + 1)
    insertion: NDArray[np.float32]  # (maps, steps + 1)

    @property
    def deletion_area(self) -> NDArray[np.float64]:
        """The area under each deletion curve (maps,), in [0, 1]; smaller is better."""
        return area(self.shares, self.deletion)

    @property
    def insertion_area(self) -> NDArray[np.float64]:
        """The area under each insertion curve (maps,), in [0, 1]; larger is better."""
        return area(self.shares, self.insertion)

    @property
    def score(self) -> NDArray[np.float64]:
        """Insertion minus deletion (maps,): one number for both, larger is better."""
        return self.insertion_area - self.deletion_area


def area(shares: NDArray[np.float64], curves: NDArray[np.float32]) -> NDArray[np.float64]:
    """The area under each of the curves (..., points), by trapezoids."""
    areas: NDArray[np.float64] = (np.diff(shares) * (curves[..., 1:] + curves[..., :-1]) / 2).sum(axis=-1)
    return areas


def measure(
    classifier: Classifier, pixels: Pixels, maps: Sequence[NDArray[np.float32]], label: str, steps: int = STEPS
) -> Curves:
    """The curves of maps (rows, columns) of one preprocessed image (H, W, 3), for the probability of class `label`.

    Patches of equal value are ordered row by row. The probability is the classifier's, before calibration.
    """
    side = classifier.model.config.patch_size
    blurred, mean = blur(pixels, side), mean_color(classifier)
    counts = np.unique(np.linspace(0, maps[0].size, steps + 1).round().astype(int))
    masks = np.stack([first(values, int(count)) for values in maps for count in counts])  # (n, rows, columns)
    index, found = classifier.classes.index(label), []
    for start in range(0, len(masks), BATCH):
        done = masks[start : start + BATCH].repeat(side, axis=1).repeat(side, axis=2)[..., None]  # (n, H, W, 1)
        images = np.concatenate([np.where(done, mean, pixels), np.where(done, pixels, blurred)])
        found.append(classifier.raw_outputs(images).probabilities[:, index].reshape(2, -1))
    deletion, insertion = np.concatenate(found, axis=1).reshape(2, len(maps), len(counts))
    return Curves(counts / maps[0].size, deletion, insertion)


def first(values: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Which patches (rows, columns) are among the `count` with the largest values."""
    order = np.argsort(-values, axis=None, kind="stable")
    chosen = np.zeros(values.size, bool)
    chosen[order[:count]] = True
    return chosen.reshape(values.shape)


def blur(pixels: Pixels, radius: float) -> Pixels:
    """The image (H, W, 3) under a Gaussian whose standard deviation is `radius` pixels."""
    return np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def mean_color(classifier: Classifier) -> Pixels:
    """The color that normalizes to zero (3,)."""
    return (np.array(classifier.preprocessing.mean) * 255).round().astype(np.uint8)


def random_map(grid: tuple[int, int], seed: Sequence[int]) -> NDArray[np.float32]:
    """A random map: the baseline that every map should beat."""
    return np.random.default_rng(seed).random(grid, np.float32)


def center_map(grid: tuple[int, int]) -> NDArray[np.float32]:
    """A Gaussian in the center, a quarter of each side wide: photographs usually show their subject there."""
    y, x = (np.linspace(-2, 2, side, dtype=np.float32) for side in grid)  # in standard deviations
    return np.exp(-(y[:, None] ** 2 + x**2) / 2)
