"""The daisy: one or two rings of slender round-tipped rays around a small yellow cushion."""

import numpy as np

from corolla.painted.flowers.head import PIGMENTS, Head, about, disc, pigment, tints
from corolla.painted.greenery import spoons
from corolla.painted.surfaces import Floats, Sheets, along, blend, floats, spokes, straps, swell

COLORS = {
    "white": 6,
    "cream": 1,
    "yellow": 3,
    "pink": 2.5,
    "magenta": 1.5,
    "red": 1.5,
    "orange": 1.2,
    "lilac": 1.2,
}


def daisy(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A daisy in any color a garden has, its rays flat, raised or drooping."""
    radius = float(rng.uniform(0.23, 0.32))
    color = pigment(dye, COLORS)
    rays = int(rng.integers(13, 27))
    lift, bend = float(rng.uniform(-0.15, 0.55)), float(rng.uniform(-0.75, 0.1))
    rings = [ring(rng, rays, radius, lift, bend, color, 1.0)]
    if rng.random() < 0.4:
        rings.append(ring(rng, rays, radius, lift + 0.16, bend, color, 0.9))
    gold, yellow, fresh = floats(PIGMENTS["gold"]), floats(PIGMENTS["yellow"]), floats([0.62, 0.66, 0.16])
    cushion = np.stack([blend(gold, fresh, rng.uniform(0.0, 0.8)), yellow, gold]) * rng.uniform(0.85, 1.0)
    florets = disc(rng, int(rng.integers(90, 150)), radius, float(rng.uniform(0.08, 0.2)), 0.02, cushion)
    return Head((*rings, *florets), foot=-0.08, neck=0.055, nods=(0.0, 0.45, 1.2), foliage=spoons)


def ring(
    rng: np.random.Generator, rays: int, radius: float, lift: float, bend: float, color: Floats, reach: float
) -> Sheets:
    """One ring of rays, a few of them gone."""
    azimuth = spokes(rays, rng.uniform(0, 2 * np.pi)) + rng.normal(0.0, 0.05, rays)
    azimuth = azimuth[rng.random(rays) > 0.04]
    count = len(azimuth)
    t = along(9)
    points = straps(
        azimuth,
        about(rng, count, (1.0 - 0.85 * radius) * reach, 0.05),
        about(rng, count, rng.uniform(0.95, 1.35) * 2.0 / rays, 0.01),
        (0.55 + 0.45 * swell(t, 0.75)) * np.sqrt(1.0 - 0.97 * t**7),
        root=(0.8 * radius, about(rng, count, 0.0, 0.012)),
        elevation=about(rng, count, lift, 0.09),
        bend=about(rng, count, bend, 0.18),
        cup=rng.uniform(-0.5, 0.9),
        roll=about(rng, count, 0.0, 0.5),
    )
    shade = blend(color * [0.72, 0.72, 0.66], color, np.minimum(t * 3.0, 1.0))
    return Sheets(points, shade[None, :, None, :] * tints(rng, count), relief=furrows)


def furrows(t: Floats, s: Floats) -> Floats:
    """Two shallow furrows along the ray."""
    return floats(1.0 - 0.13 * np.exp(-(((np.abs(s) - 0.38) / 0.16) ** 2)) * np.minimum(4.0 * t, 1.0))
