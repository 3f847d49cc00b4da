"""The auto-augment policies by name: the random operations for each view."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from corolla.training.recipe import Policy
from corolla.training.rng import SampleRng, between
from corolla.training.transforms.operations import Op

BINS = 31  # steps from an operation's weakest to its strongest
LIGHT_TURN, LIGHT_COLOR = 20.0, 0.3  # degrees, fraction
RAND_OPS, RAND_BIN = 2, 10
# Maximum amounts of the signed operations for TrivialAugment; RandAugment's are smaller.
SIGNED = {"shear_x": 0.99, "shear_y": 0.99, "translate_x": 32.0, "translate_y": 32.0, "rotate": 135.0} | dict.fromkeys(
    ("brightness", "saturation", "contrast", "sharpness"), 0.99
)
KINDS = ("identity", *SIGNED, "posterize", "solarize", "autocontrast", "equalize")
ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def none(rng: SampleRng, size: int) -> list[list[Op]]:
    """No operations."""
    return [[] for _ in rng.streams]


def light(rng: SampleRng, size: int) -> list[list[Op]]:
    """Rotation by up to 20 degrees, then brightness, contrast and saturation by up to 30 % in random order."""
    uniform = rng.random(5)
    turns = between(uniform[:, 0], -LIGHT_TURN, LIGHT_TURN).tolist()
    changes = between(uniform[:, 1:4], -LIGHT_COLOR, LIGHT_COLOR).tolist()
    drawn = []
    for turn, change, order in zip(turns, changes, pick(uniform[:, 4], len(ORDERS)), strict=True):
        jitter = list(zip(("brightness", "contrast", "saturation"), change, strict=True))
        drawn.append([("rotate", turn), *(jitter[place] for place in ORDERS[order])])
    return drawn


def trivial(rng: SampleRng, size: int) -> list[list[Op]]:
    """TrivialAugmentWide (arXiv 2103.10158): one operation of any strength."""
    uniform = rng.random(3)
    strengths = (pick(uniform[:, 1], BINS) / (BINS - 1)).tolist()
    chosen = zip(pick(uniform[:, 0], len(KINDS)), strengths, uniform[:, 2] < 0.5, strict=True)
    return [[op_of(KINDS[kind], SIGNED, 6, strength, negative)] for kind, strength, negative in chosen]


def rand(rng: SampleRng, size: int) -> list[list[Op]]:
    """RandAugment (arXiv 1909.13719): two operations of the same strength, 10 of 30."""
    far = 150 / 331 * size  # a fraction of the image, while TrivialAugment translates by pixels
    strongest = dict.fromkeys(SIGNED, 0.9)
    strongest |= {"shear_x": 0.3, "shear_y": 0.3, "translate_x": far, "translate_y": far, "rotate": 30.0}
    uniform = rng.random(2 * RAND_OPS)
    kinds, signs = pick(uniform[:, :RAND_OPS], len(KINDS)), uniform[:, RAND_OPS:] < 0.5
    return [
        [op_of(KINDS[kind], strongest, 4, RAND_BIN / (BINS - 1), sign) for kind, sign in zip(*pair, strict=True)]
        for pair in zip(kinds, signs, strict=True)
    ]


def pick(uniform: NDArray[np.float64], choices: int) -> NDArray[np.int64]:
    """Numbers in [0, 1) as integers below `choices`, all equally likely."""
    whole: NDArray[np.int64] = np.floor(uniform * choices).astype(np.int64)
    return whole


def op_of(kind: str, strongest: dict[str, float], fewest_bits: int, strength: float, negative: bool) -> Op:
    """An operation at a strength in [0, 1]; posterize removes up to `fewest_bits` of the 8 bits."""
    if kind in strongest:
        return kind, strongest[kind] * strength * (-1 if negative else 1)
    if kind == "posterize":
        return kind, round(8 - strength * fewest_bits)
    return kind, 1.0 - strength  # solarize inverts values above this


# From the RNG and the size of the views in pixels to the operations of each view.
POLICIES: dict[Policy, Callable[[SampleRng, int], list[list[Op]]]] = {
    "none": none,
    "light": light,
    "trivial": trivial,
    "rand": rand,
}
