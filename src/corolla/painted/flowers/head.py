"""The common parts of the five kinds: the head, the disc of florets, and the colors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corolla.painted.greenery import Foliage
from corolla.painted.surfaces import (
    GOLDEN_ANGLE,
    Floats,
    Sheets,
    across,
    along,
    blend,
    column,
    cups,
    floats,
)

# All kinds share the colors, so that a model must look at the shape.
PIGMENTS: Mapping[str, tuple[float, float, float]] = {
    "white": (0.96, 0.95, 0.93),
    "cream": (0.97, 0.92, 0.74),
    "yellow": (0.98, 0.84, 0.16),
    "gold": (0.98, 0.72, 0.08),
    "orange": (0.96, 0.52, 0.12),
    "coral": (0.95, 0.47, 0.40),
    "red": (0.82, 0.10, 0.12),
    "crimson": (0.60, 0.05, 0.15),
    "pink": (0.95, 0.62, 0.72),
    "magenta": (0.83, 0.22, 0.50),
    "lilac": (0.74, 0.60, 0.86),
    "purple": (0.45, 0.20, 0.52),
}
LEAF_GREEN = floats([0.30, 0.47, 0.17])
WARM = floats([0.6, 1.0, 1.15])  # shade between petals is deep in color, not gray


@dataclass(frozen=True)
class Head:
    """A flower's head around the origin, about 1 in radius, its face along +z.

    The stem joins it at `foot` on the z axis, `neck` thick. `nods` is how far from the viewer it looks away, in
    radians: least, most often, most.
    """

    sheets: tuple[Sheets, ...]
    foot: float
    neck: float
    nods: tuple[float, float, float]
    foliage: Foliage


def pigment(dye: np.random.Generator, weights: Mapping[str, float]) -> Floats:
    """A color (3,), sampled by `weights` and slightly varied."""
    names = list(weights)
    chances = np.array([weights[name] for name in names])
    base = np.array(PIGMENTS[names[dye.choice(len(names), p=chances / chances.sum())]])
    return np.clip(base * dye.uniform(0.9, 1.06) + dye.normal(0.0, 0.03, 3), 0.02, 1.0)


def tints(rng: np.random.Generator, count: int, spread: float = 0.07) -> Floats:
    """Brightness of each petal, (count, 1, 1, 1) around 1: no two petals are alike."""
    return rng.uniform(1.0 - spread, 1.0 + spread, (count, 1, 1, 1))


def about(rng: np.random.Generator, count: int, center: float, spread: float) -> Floats:
    """`count` values within `spread` of `center`."""
    return rng.uniform(center - spread, center + spread, count)


def gloom(shade: Floats) -> Floats:
    """Color factors (..., 3) of the light between petals, where the fraction `shade` (...) of it is left."""
    return shade[..., None] ** WARM


def disc(
    rng: np.random.Generator, count: int, radius: float, dome: float, level: float, rings: Floats
) -> tuple[Sheets, Sheets]:
    """A dome of `count` florets on a golden-angle spiral, and the ground beneath it.

    `rings` (R, 3) are the colors from the middle to the rim; `level` is the height of the rim and `dome` how
    much higher the middle is.
    """
    order = floats((np.arange(count) + 0.5) / count)
    angle = column(np.arange(count) * GOLDEN_ANGLE + rng.uniform(0, 2 * np.pi))
    half = column(1.15 * radius / np.sqrt(count) * about(rng, count, 1.0, 0.15))
    u, v = 2.0 * along(4)[None, :, None] - 1.0, across(3)[None, None, :]
    out, side = radius * np.sqrt(column(order)) + half * u, half * v
    z = level + dome * (1.0 - column(order)) + half * (1.3 - 0.7 * (u * u + v * v))
    x, y = out * np.cos(angle) - side * np.sin(angle), out * np.sin(angle) + side * np.cos(angle)
    place = order * (len(rings) - 1)
    low = np.minimum(place.astype(int), len(rings) - 2)
    colors = blend(rings[low], rings[low + 1], place - low)[:, None, None, :] * tints(rng, count, 0.16)
    florets = Sheets(np.stack([x, y, z], axis=-1), colors, relief=bead, sheer=0.0)

    reach = 1.04 * along(5)[None, :]
    height = level - 0.01 + dome * (1.0 - reach**2)
    ground = cups(np.zeros(1), radius * reach, height, np.full((1, 5), np.pi), nodes_across=17)
    soil = 0.5 * rings[(along(5) * (len(rings) - 1)).astype(int)]
    return florets, Sheets(ground, soil[None, :, None, :], sheer=0.0)


def bead(t: Floats, s: Floats) -> Floats:
    """A round floret, light in the middle and dark at its edge."""
    distance = (2.0 * t - 1.0) ** 2 + s * s
    return np.where(distance < 1.05, 1.12 - 0.62 * distance, 0.0)
