"""Does the answer rest on what a map says? The deletion and insertion metrics of RISE (Petsiuk, Das & Saenko 2018,
arXiv 1806.07421), in steps of patches.

Deletion: patches become the mean colour, the most relevant first; the sooner the probability of the class falls, the
smaller the area under its curve, the better the map. Insertion: patches are put into a blurred picture in the same
order; the larger the area, the better.

Both fillings are the paper's. The mean colour is also what random erasing fills its holes with in training
(arXiv 1708.04896), so such pictures are not strange to models of this project; and the blur reaches as far as a
patch is wide, so that only colours and large shapes are left of what is not put in yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from corolla.classifier import Classifier

STEPS = 20  # in which all patches are gone
BATCH = 64  # pictures asked about at a time


@dataclass(frozen=True, eq=False)
class Curves:
    """How probable the class stays as patches go and come, from the most relevant to the least."""

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
    classifier: Classifier, pixels: Tensor, maps: Sequence[NDArray[np.float32]], label: str, steps: int = STEPS
) -> Curves:
    """The curves of maps (rows, columns) of one uint8 picture (3, H, W), for the probability of the class `label`.

    Patches that a map holds equal go in the order of reading. The probability is what the classifier answers with.
    """
    side = classifier.model.config.patch_size
    blurred, mean = blur(pixels, side), mean_colour(classifier)
    counts = np.unique(np.linspace(0, maps[0].size, steps + 1).round().astype(int))
    masks = torch.stack([first(values, int(count)) for values in maps for count in counts])[:, None]  # (n, 1, r, c)
    index, found = classifier.classes.index(label), []
    for some in torch.split(masks, BATCH):
        done = some.repeat_interleave(side, dim=-2).repeat_interleave(side, dim=-1)  # (n, 1, H, W)
        pictures = torch.cat([torch.where(done, mean, pixels), torch.where(done, pixels, blurred)])
        found.append(classifier.compute(pictures).probabilities[:, index].reshape(2, -1))
    deletion, insertion = np.concatenate(found, axis=1).reshape(2, len(maps), len(counts))
    return Curves(counts / maps[0].size, deletion, insertion)


def first(values: NDArray[np.float32], count: int) -> Tensor:
    """Which patches (rows, columns) are among the `count` with the largest values."""
    order = np.argsort(-values, axis=None, kind="stable")
    chosen = np.zeros(values.size, bool)
    chosen[order[:count]] = True
    return torch.from_numpy(chosen.reshape(values.shape))


def blur(pixels: Tensor, radius: float) -> Tensor:
    """The picture (3, H, W) under a Gaussian whose standard deviation is `radius` pixels."""
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy()).filter(ImageFilter.GaussianBlur(radius))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def mean_colour(classifier: Classifier) -> Tensor:
    """The colour that normalises to zero, uint8 (3, 1, 1)."""
    return (torch.tensor(classifier.preprocessing.mean) * 255).round().to(torch.uint8).view(3, 1, 1)


def random_map(grid: tuple[int, int], seed: Sequence[int]) -> NDArray[np.float32]:
    """Patches in an order of chance: what every map should beat."""
    return np.random.default_rng(seed).random(grid, np.float32)


def centre_map(grid: tuple[int, int]) -> NDArray[np.float32]:
    """A Gaussian in the middle, a quarter of each side wide: photographers put there what the picture is of."""
    y, x = (np.linspace(-2, 2, side, dtype=np.float32) for side in grid)  # in standard deviations
    return np.exp(-(y[:, None] ** 2 + x**2) / 2)
