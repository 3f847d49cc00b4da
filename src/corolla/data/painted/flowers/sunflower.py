"""The sunflower: a wide dark disc of spiralling florets in a mane of pointed rays."""

import numpy as np

from corolla.data.painted.flowers.head import LEAF_GREEN, Head, about, disc, pigment, tints
from corolla.data.painted.sheets import Floats, Sheets, along, blend, straps

COLOURS = {
    "yellow": 5,
    "gold": 4,
    "cream": 2,
    "white": 1,
    "orange": 2,
    "coral": 0.8,
    "red": 1.8,
    "crimson": 1.5,
}


def sunflower(rng: np.random.Generator) -> Head:
    """A sunflower from lemon to dark red, its disc young and green or ripe and brown."""
    radius = float(rng.uniform(0.4, 0.54))
    colour = pigment(rng, COLOURS)
    throat = colour * np.float32(rng.uniform(0.55, 0.9)) * np.array([1.0, 0.75, 0.5], np.float32)
    rays = int(rng.integers(17, 28))
    lift = float(rng.uniform(-0.1, 0.4))
    mane = [
        rays_of(rng, rays, radius, lift - 0.12, colour * np.float32(0.86), throat, 1.0, -0.03),
        rays_of(rng, rays, radius, lift + 0.1, colour, throat, 0.93, 0.0),
    ]
    bracts = rays_of(rng, 18, radius, lift - 0.25, LEAF_GREEN, LEAF_GREEN, 0.72, -0.06)
    brown = np.array([0.34, 0.2, 0.09]) * rng.uniform(0.6, 1.3)
    heart = blend(brown, np.array([0.5, 0.52, 0.18]), rng.uniform(0.0, 0.9))
    pollen = blend(brown, np.array([0.85, 0.6, 0.15]), rng.uniform(0.1, 0.8))
    rings = np.stack([heart, brown * 0.8, brown * 0.6, pollen, brown * 0.7]).astype(np.float32)
    florets = disc(rng, int(rng.integers(190, 300)), radius, float(rng.uniform(-0.04, 0.12)), 0.05, rings)
    return Head((bracts, *mane, *florets), foot=-0.12, neck=0.085, leaf="heart", nods=(0.0, 0.4, 1.1))


def rays_of(
    rng: np.random.Generator,
    rays: int,
    radius: float,
    lift: float,
    colour: Floats,
    throat: Floats,
    reach: float,
    level: float,
) -> Sheets:
    """One ring of pointed rays, each with a will of its own."""
    azimuth = rng.uniform(0, 6.28) + np.arange(rays) * (2 * np.pi / rays) + rng.normal(0.0, 0.07, rays)
    t = along(10, 1.2)
    outline = (0.35 + 0.65 * np.sin(np.minimum(t / 0.45, 1.0) * 1.5708)) * (1.0 - t**2.6) ** 0.85
    points = straps(
        azimuth.astype(np.float32),
        about(rng, rays, (1.04 - 0.9 * radius) * reach, 0.07),
        about(rng, rays, 3.3 / rays, 0.02),
        outline.astype(np.float32),
        root=(0.88 * radius, level),
        elevation=about(rng, rays, lift, 0.16),
        bend=about(rng, rays, float(rng.uniform(-0.5, 0.5)), 0.4),
        cup=float(rng.uniform(0.0, 0.7)),
        roll=about(rng, rays, 0.0, 0.8),
        ripple=0.12,
    )
    shade = blend(throat, colour, np.clip(t * 2.2, 0.0, 1.0))[None, :, None, :] * tints(rng, rays, 0.09)
    return Sheets(points, shade * np.ones_like(points), relief=veins)


def veins(t: Floats, s: Floats) -> Floats:
    """Five long veins and a darker crease in the middle."""
    return (1.0 - 0.07 * np.cos(s * 12.0) - 0.14 * np.exp(-((s / 0.12) ** 2)) * (1.0 - t)).astype(np.float32)
