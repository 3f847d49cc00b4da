"""What the five kinds share: the head, the disc of florets, and colours that wander between kinds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corolla.data.painted.sheets import GOLDEN_ANGLE, Floats, Sheets, across, blend, cups

# Colours are shared on purpose: no kind owns one, so that shape has to be looked at.
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
WARM = np.array([0.6, 1.0, 1.15], np.float32)  # shade between petals is deep in colour, not grey
LEAF_GREEN = np.array([0.30, 0.47, 0.17], np.float32)


@dataclass(frozen=True)
class Head:
    """A flower's head around the origin, about 1 in radius, its face along +z.

    The stem joins it at `foot` on the z axis, `neck` thick; `leaf` names the foliage that belongs to it and
    `nods` is how far from the viewer it looks away, in radians: least, most often, most.
    """

    sheets: tuple[Sheets, ...]
    foot: float
    neck: float
    leaf: str
    nods: tuple[float, float, float]


def pigment(rng: np.random.Generator, weights: Mapping[str, float]) -> Floats:
    """A colour (3,) by weighted chance, a little off its name."""
    names = list(weights)
    chances = np.array([weights[name] for name in names])
    base = np.array(PIGMENTS[names[rng.choice(len(names), p=chances / chances.sum())]])
    return np.clip(base * rng.uniform(0.9, 1.06) + rng.normal(0.0, 0.03, 3), 0.02, 1.0).astype(np.float32)


def tints(rng: np.random.Generator, count: int, spread: float = 0.07) -> Floats:
    """Brightness of each petal, (count, 1, 1, 1) around 1: no two petals are alike."""
    return rng.uniform(1.0 - spread, 1.0 + spread, (count, 1, 1, 1)).astype(np.float32)


def about(rng: np.random.Generator, count: int, centre: float, spread: float) -> Floats:
    """`count` values within `spread` of `centre`."""
    return rng.uniform(centre - spread, centre + spread, count).astype(np.float32)


def gloom(shade: Floats) -> Floats:
    """Colour factors (..., 3) of light that has come to a depth between petals where `shade` (...) of it is left."""
    return shade[..., None] ** WARM


def disc(
    rng: np.random.Generator,
    count: int,
    radius: float,
    dome: float,
    level: float,
    rings: Floats,
    grain: float = 1.15,
) -> tuple[Sheets, Sheets]:
    """A dome of florets on a golden-angle spiral, and the ground beneath it.

    `rings` (R, 3) are the colours from the middle to the rim; `dome` is the height of the middle over
    `level`, the height of the rim; `grain` is the size of a floret against the room it has.
    """
    order = (np.arange(count, dtype=np.float32) + 0.5) / count
    r = radius * np.sqrt(order)
    angle = np.arange(count, dtype=np.float32) * np.float32(GOLDEN_ANGLE) + rng.uniform(0, 6.28)
    half = grain * radius / np.sqrt(count) * about(rng, count, 1.0, 0.15)
    u = across(3)
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    out = r[:, None, None] + half[:, None, None] * u[None, :, None]
    side = half[:, None, None] * u[None, None, :]
    bump = half[:, None, None] * (1.3 - 0.7 * (u * u)[None, :, None] - 0.7 * (u * u)[None, None, :])
    z = level + dome * (1.0 - (r / radius) ** 2)[:, None, None] + bump
    x, y = out * cosine - side * sine, out * sine + side * cosine
    place = order * (len(rings) - 1)
    low = np.minimum(place.astype(int), len(rings) - 2)
    colour = blend(rings[low], rings[low + 1], place - low)[:, None, None, :] * tints(rng, count, 0.16)
    florets = Sheets(
        np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32),
        np.broadcast_to(colour, (count, 3, 3, 3)).astype(np.float32),
        relief=floret,
        sheer=0.0,
    )
    reach = np.linspace(0.0, radius * 1.04, 5, dtype=np.float32)[None, :]
    ground = cups(
        np.zeros(1, np.float32),
        reach,
        level - 0.01 + dome * (1.0 - (reach / radius) ** 2),
        np.full((1, 5), np.pi, np.float32),
        nodes_across=17,
    )
    soil = rings[np.linspace(0, len(rings) - 1, 5).astype(int)] * np.float32(0.5)
    return florets, Sheets(
        ground, np.broadcast_to(soil[None, :, None, :], ground.shape).astype(np.float32), sheer=0.0
    )


def floret(t: Floats, s: Floats) -> Floats:
    """A round bead, light in the middle and dark at its edge."""
    distance = (2.0 * t - 1.0) ** 2 + s * s
    return np.where(distance < 1.05, 1.12 - 0.62 * distance, 0.0).astype(np.float32)
