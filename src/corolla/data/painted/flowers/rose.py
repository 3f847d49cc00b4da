"""The rose: broad petals one golden angle after another, wrapped tight in the middle and opening outwards."""

import numpy as np

from corolla.data.painted.flowers.head import LEAF_GREEN, Head, about, gloom, pigment, tints
from corolla.data.painted.sheets import GOLDEN_ANGLE, Floats, Sheets, across, along, blend, cups, straps

COLOURS = {"red": 4, "crimson": 2, "pink": 3, "white": 2, "cream": 1, "yellow": 3, "gold": 1, "orange": 1.5,
           "coral": 1.5, "magenta": 1.5, "lilac": 0.8}  # fmt: skip


def rose(rng: np.random.Generator) -> Head:
    """A rose anywhere between a half-open bud and a full cup."""
    count = int(rng.integers(20, 34))
    colour = pigment(rng, COLOURS)
    age = (np.arange(count) / (count - 1.0)).astype(np.float32)  # 0 is the innermost petal
    openness = float(rng.uniform(0.55, 1.0))
    azimuth = (np.arange(count) * GOLDEN_ANGLE + rng.normal(0.0, 0.16, count)).astype(np.float32)
    t = along(9, 1.3)[None, :]
    a = age[:, None]

    rim = 0.07 + (0.2 + 0.68 * openness) * a**1.15
    tall = (0.86 - 0.18 * openness) - (0.1 + 0.42 * openness) * a**1.6
    steep = 0.3 + 0.35 * a
    flare = openness * np.clip(a - 0.25, 0.0, 1.0) * about(rng, count, 0.36, 0.14)[:, None]
    distance = rim * (0.12 + 0.88 * t**steep + flare * t**5)
    height = tall * (t**1.25 - 0.8 * flare * t**6) * about(rng, count, 1.0, 0.06)[:, None]
    wide = (1.75 - 0.95 * a**0.6) * about(rng, count, 1.0, 0.1)[:, None]
    half = wide * (0.6 + 0.4 * np.sin(np.minimum(t / 0.6, 1.0) * 1.5708)) * np.sqrt(1.0 - 0.8 * t**5)
    points = cups(
        azimuth,
        distance.astype(np.float32),
        height.astype(np.float32),
        half.astype(np.float32),
        spiral=0.16 - 0.1 * age,
        droop=0.1 + 0.1 * age,
        ripple=0.05 * age,
    )
    points[..., 2] -= 0.25
    s = across(9)
    edge = 1.0 + 0.16 * t**6 + 0.08 * np.abs(s)[:, None] ** 4 * t  # (9, A)
    warm = blend(colour * np.float32([1.0, 0.85, 0.85]), colour, age)[:, None, None, :]
    depth = gloom(0.4 + 0.6 * t[0] ** 1.6)  # little light reaches the foot of a petal
    colours = warm * depth[:, None] * edge.T[..., None] * tints(rng, count, 0.06)
    petals = Sheets(points, np.clip(colours, 0.0, 1.0).astype(np.float32), relief=silk, sheer=0.25)
    return Head((sepals(rng), petals), foot=-0.36, neck=0.07, leaf="leaflets", nods=(0.05, 0.6, 1.15))


def sepals(rng: np.random.Generator) -> Sheets:
    """Five green tips under the petals, and the hip that carries them."""
    t = along(8)
    azimuth = (np.arange(5) * (2 * np.pi / 5) + rng.uniform(0, 6.28)).astype(np.float32)
    outline = (0.4 + 0.6 * np.sin(np.minimum(t / 0.35, 1.0) * 1.5708)) * (1.0 - t)
    points = straps(
        azimuth,
        about(rng, 5, 0.62, 0.12),
        0.15,
        (outline + 0.03).astype(np.float32),
        root=(0.03, -0.34),
        elevation=about(rng, 5, 0.25, 0.5),
        bend=about(rng, 5, -0.1, 0.9),
    )
    return Sheets(points, LEAF_GREEN * tints(rng, 5, 0.1) * np.ones_like(points))


def silk(t: Floats, s: Floats) -> Floats:
    """Faint veins that fan out, and a thin bright rim."""
    fan = 0.035 * np.cos(26.0 * s) * t
    return (1.0 - fan + 0.1 * (t > 0.955)).astype(np.float32)
