"""The rose: broad petals one golden angle after another, wrapped tight in the middle and opening outwards."""

import numpy as np

from corolla.painted.flowers.head import LEAF_GREEN, Head, about, gloom, pigment, tints
from corolla.painted.greenery import leaflets
from corolla.painted.surfaces import (
    GOLDEN_ANGLE,
    Floats,
    Sheets,
    across,
    along,
    blend,
    cups,
    floats,
    spokes,
    straps,
    swell,
)

COLORS = {"red": 4, "crimson": 2, "pink": 3, "white": 2, "cream": 1, "yellow": 3, "gold": 1, "orange": 1.5,
           "coral": 1.5, "magenta": 1.5, "lilac": 0.8}  # fmt: skip


def rose(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A rose anywhere between a half-open bud and a full cup."""
    count = int(rng.integers(20, 34))
    color = pigment(dye, COLORS)
    openness = float(rng.uniform(0.55, 1.0))
    t = along(9)[None, :]
    age = np.linspace(0.0, 1.0, count)[:, None]  # 0 is the innermost petal

    rim = 0.07 + (0.2 + 0.68 * openness) * age**1.15
    tall = (0.86 - 0.18 * openness) - (0.1 + 0.42 * openness) * age**1.6
    flare = openness * np.maximum(age - 0.25, 0.0) * about(rng, count, 0.36, 0.14)[:, None]
    distance = rim * (0.12 + 0.88 * t ** (0.3 + 0.35 * age) + flare * t**5)
    height = tall * (t**1.25 - 0.8 * flare * t**6) * about(rng, count, 1.0, 0.06)[:, None] - 0.25
    wide = (1.75 - 0.95 * age**0.6) * about(rng, count, 1.0, 0.1)[:, None]
    points = cups(
        np.arange(count) * GOLDEN_ANGLE + rng.normal(0.0, 0.16, count),
        distance,
        height,
        wide * (0.6 + 0.4 * swell(t, 0.6)) * np.sqrt(1.0 - 0.8 * t**5),
        spiral=0.16 - 0.1 * age,
        droop=0.1 + 0.1 * age,
        ripple=0.05 * age,
    )
    edge = 1.0 + 0.16 * t.T**6 + 0.08 * across(9) ** 4 * t.T  # (A, B)
    depth = gloom(0.4 + 0.6 * t[0] ** 1.6)  # little light reaches the foot of a petal
    warm = blend(color * [1.0, 0.85, 0.85], color, age[:, 0])[:, None, None, :]
    colors = warm * (depth[:, None] * edge[..., None]) * tints(rng, count, 0.06)
    petals = Sheets(points, np.minimum(colors, 1.0), relief=silk, sheer=0.25)
    return Head((sepals(rng), petals), foot=-0.36, neck=0.07, nods=(0.05, 0.6, 1.15), foliage=leaflets)


def sepals(rng: np.random.Generator) -> Sheets:
    """Five green tips under the petals."""
    t = along(8)
    points = straps(
        spokes(5, rng.uniform(0, 2 * np.pi)),
        about(rng, 5, 0.62, 0.12),
        0.15,
        (0.4 + 0.6 * swell(t, 0.35)) * (1.0 - t) + 0.03,
        root=(0.03, -0.34),
        elevation=about(rng, 5, -0.1, 0.4),
        bend=about(rng, 5, -0.2, 0.6),
    )
    return Sheets(points, LEAF_GREEN * tints(rng, 5, 0.1))


def silk(t: Floats, s: Floats) -> Floats:
    """Faint veins that fan out, and a thin bright rim."""
    return floats(1.0 - 0.035 * np.cos(26.0 * s) * t + 0.1 * (t > 0.985))
