"""The sunflower: a wide dark disc of spiralling florets in a mane of pointed rays."""

import numpy as np

from corolla.painted.flowers.head import LEAF_GREEN, Head, about, disc, pigment, tints
from corolla.painted.greenery import hearts
from corolla.painted.surfaces import Floats, Sheets, along, blend, floats, spokes, straps, swell

COLORS = {
    "yellow": 5,
    "gold": 4,
    "cream": 2,
    "white": 1,
    "orange": 2,
    "coral": 0.8,
    "red": 1.8,
    "crimson": 1.5,
}


def sunflower(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A sunflower from lemon to dark red, its disc young and green or ripe and brown."""
    radius = float(rng.uniform(0.4, 0.54))
    color = pigment(dye, COLORS)
    throat = color * dye.uniform(0.55, 0.9) * [1.0, 0.75, 0.5]
    rays = int(rng.integers(17, 28))
    lift = float(rng.uniform(-0.1, 0.4))
    mane = (
        mane_of(rng, 18, radius, lift - 0.3, LEAF_GREEN, LEAF_GREEN, 0.66, -0.06),  # the green bracts behind it
        mane_of(rng, rays, radius, lift - 0.12, color * 0.86, throat, 1.0, -0.03),
        mane_of(rng, rays, radius, lift + 0.1, color, throat, 0.93, 0.0),
    )
    brown = np.array([0.34, 0.2, 0.09]) * rng.uniform(0.6, 1.3)
    heart = blend(brown, [0.5, 0.52, 0.18], rng.uniform(0.0, 0.9))
    pollen = blend(brown, [0.85, 0.6, 0.15], rng.uniform(0.1, 0.8))
    rings = np.stack([heart, brown * 0.8, brown * 0.6, pollen, brown * 0.7])
    florets = disc(rng, int(rng.integers(190, 300)), radius, float(rng.uniform(-0.04, 0.12)), 0.05, rings)
    return Head((*mane, *florets), foot=-0.12, neck=0.085, nods=(0.0, 0.4, 1.1), foliage=hearts)


def mane_of(
    rng: np.random.Generator,
    rays: int,
    radius: float,
    lift: float,
    color: Floats,
    throat: Floats,
    reach: float,
    level: float,
) -> Sheets:
    """One ring of pointed rays, each slightly different."""
    t = along(10)
    points = straps(
        spokes(rays, rng.uniform(0, 2 * np.pi)) + rng.normal(0.0, 0.07, rays),
        about(rng, rays, (1.04 - 0.9 * radius) * reach, 0.07),
        about(rng, rays, 3.3 / rays, 0.02),
        (0.35 + 0.65 * swell(t, 0.45)) * (1.0 - t**2.6) ** 0.85,
        root=(0.88 * radius, level),
        elevation=about(rng, rays, lift, 0.16),
        bend=about(rng, rays, rng.uniform(-0.5, 0.5), 0.4),
        cup=rng.uniform(0.0, 0.7),
        roll=about(rng, rays, 0.0, 0.8),
        ripple=0.12,
    )
    shade = blend(throat, color, np.minimum(t * 2.2, 1.0))[None, :, None, :]
    return Sheets(points, shade * tints(rng, rays, 0.09), relief=veins)


def veins(t: Floats, s: Floats) -> Floats:
    """Five long veins and a darker crease in the middle."""
    return floats(1.0 - 0.07 * np.cos(s * 12.0) - 0.14 * np.exp(-((s / 0.12) ** 2)) * (1.0 - t))
