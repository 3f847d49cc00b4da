"""The daisy: one or two rings of slender round-tipped rays around a small yellow cushion."""

import numpy as np

from corolla.data.painted.flowers.head import PIGMENTS, Head, about, disc, pigment, tints
from corolla.data.painted.sheets import Floats, Sheets, along, blend, straps

COLOURS = {
    "white": 6,
    "cream": 1,
    "yellow": 3,
    "pink": 2.5,
    "magenta": 1.5,
    "red": 1.5,
    "orange": 1.2,
    "lilac": 1.2,
}


def daisy(rng: np.random.Generator) -> Head:
    """A daisy in any colour a garden has, its rays flat, raised or drooping."""
    radius = float(rng.uniform(0.23, 0.32))
    colour = pigment(rng, COLOURS)
    rays = int(rng.integers(13, 27))
    lift, bend = float(rng.uniform(-0.15, 0.55)), float(rng.uniform(-0.75, 0.1))
    rings = [ring(rng, rays, radius, lift, bend, colour, 1.0)]
    if rng.random() < 0.4:
        rings.append(ring(rng, rays, radius, lift + 0.16, bend, colour, 0.9))
    yellow = np.array([PIGMENTS["gold"], PIGMENTS["yellow"], PIGMENTS["gold"]], np.float32)
    yellow[0] = blend(yellow[0], np.array([0.62, 0.66, 0.16]), rng.uniform(0.0, 0.8))
    yellow *= np.float32(rng.uniform(0.85, 1.0))
    cushion = disc(rng, int(rng.integers(90, 150)), radius, float(rng.uniform(0.08, 0.2)), 0.02, yellow)
    return Head((*rings, *cushion), foot=-0.08, neck=0.055, leaf="spoon", nods=(0.0, 0.45, 1.2))


def ring(
    rng: np.random.Generator, rays: int, radius: float, lift: float, bend: float, colour: Floats, reach: float
) -> Sheets:
    """One ring of rays, a few of them gone."""
    start = rng.uniform(0, 6.28)
    azimuth = start + np.arange(rays) * (2 * np.pi / rays) + rng.normal(0.0, 0.05, rays)
    azimuth = azimuth[rng.random(rays) > 0.04].astype(np.float32)
    count = len(azimuth)
    t = along(9)
    outline = (0.55 + 0.45 * np.sin(np.minimum(t / 0.75, 1.0) * 1.5708)) * np.sqrt(1.0 - 0.97 * t**7)
    width = about(rng, count, float(rng.uniform(0.95, 1.35)) * 2.0 / rays, 0.01)
    points = straps(
        azimuth,
        about(rng, count, (1.0 - 0.85 * radius) * reach, 0.05),
        width,
        outline.astype(np.float32),
        root=(0.8 * radius, about(rng, count, 0.0, 0.012)),
        elevation=about(rng, count, lift, 0.09),
        bend=about(rng, count, bend, 0.18),
        cup=float(rng.uniform(-0.5, 0.9)),
        roll=about(rng, count, 0.0, 0.5),
    )
    shade = blend(colour * np.float32([0.72, 0.72, 0.66]), colour, np.clip(t * 3.0, 0.0, 1.0))
    return Sheets(points, shade[None, :, None, :] * tints(rng, count) * np.ones_like(points), relief=furrows)


def furrows(t: Floats, s: Floats) -> Floats:
    """Two shallow furrows along the ray."""
    return (1.0 - 0.13 * np.exp(-(((np.abs(s) - 0.38) / 0.16) ** 2)) * np.minimum(4.0 * t, 1.0)).astype(
        np.float32
    )
