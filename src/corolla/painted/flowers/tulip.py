"""The tulip: three petals inside three, an egg when closed and a bowl when open."""

import numpy as np

from corolla.painted.flowers.head import Head, pigment, tints
from corolla.painted.greenery import blades
from corolla.painted.surfaces import (
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
    tubes,
)

COLORS = {"red": 4, "crimson": 1, "pink": 2.5, "white": 2, "cream": 1, "yellow": 3.5, "gold": 1, "orange": 2,
           "coral": 1.2, "magenta": 1.2, "lilac": 1, "purple": 1.5}  # fmt: skip
# the distance of a petal from the axis, from its foot to its tip
PLACES = (0.0, 0.18, 0.42, 0.72, 1.0)
CLOSED = (0.07, 0.44, 0.60, 0.50, 0.24)
OPEN = (0.07, 0.46, 0.72, 0.95, 1.12)


def tulip(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A tulip, closed more often than open, sometimes flamed or edged with a second color."""
    openness = float(rng.beta(1.3, 2.0))
    tall = float(rng.uniform(1.35, 1.65)) - 0.35 * openness
    colors = paint_petal(dye)
    inner = whorl(rng, openness, tall, 0.92, colors, 0.0)
    outer = whorl(rng, openness, tall * 0.97, 1.0, colors, np.pi / 3)
    return Head((inner, outer, *heart(rng)), foot=-0.62, neck=0.07, nods=(0.1, 1.35, 1.7), foliage=blades)


def paint_petal(dye: np.random.Generator) -> Floats:
    """Colors (A, B, 3) of a petal: plain, flamed along the middle, or edged."""
    color, second = pigment(dye, COLORS), pigment(dye, COLORS)
    t, s = along(11)[:, None], np.abs(across(9))[None, :]
    style = dye.choice(["plain", "flamed", "edged"], p=[0.6, 0.2, 0.2])
    if style == "flamed":
        share = np.clip(1.2 - 2.2 * s - 0.8 * t, 0.0, 1.0)
    elif style == "edged":
        share = np.clip(3.0 * np.maximum(s, t**1.5) - 2.0, 0.0, 1.0)
    else:
        share = np.zeros((11, 9))
    green = np.clip(0.75 - 5.0 * t, 0.0, 0.6) + 0.0 * s  # the foot stays a little green
    return blend(blend(color, second, share), [0.75, 0.78, 0.42], green) * (0.78 + 0.22 * t**0.7)[..., None]


def whorl(rng: np.random.Generator, openness: float, tall: float, room: float, colors: Floats, turn: float) -> Sheets:
    """Three petals a third of a turn apart."""
    t = along(11)
    each = np.clip(openness + rng.normal(0.0, 0.07, (3, 1)), 0.0, 1.0)
    distance = (1.0 - each) * np.interp(t, PLACES, CLOSED) + each * np.interp(t, PLACES, OPEN)
    wide = rng.uniform(0.98, 1.18) - 0.25 * openness
    outline = wide * (0.75 + 0.25 * swell(t, 0.4)) * (1.0 - t**3.2) ** 0.6
    points = cups(
        spokes(3, turn) + rng.normal(0.0, 0.06, 3),
        room * distance,
        tall * (t - 0.18 * each * t**4) - 0.62,
        np.broadcast_to(outline, (3, 11)),
        spiral=0.04,
        ripple=0.03,
    )
    return Sheets(points, colors * tints(rng, 3), relief=ribs, sheer=0.45, gloss=0.06)


def heart(rng: np.random.Generator) -> tuple[Sheets, Sheets]:
    """Six anthers around a pale pistil, seen when the flower is open."""
    dark = floats([0.16, 0.1, 0.12] if rng.random() < 0.6 else [0.8, 0.62, 0.2])
    anthers = straps(spokes(6), 0.5, 0.06, floats([0.4, 0.4, 1, 1, 0.5]), root=(0.05, -0.55), elevation=1.15)
    path = blend([0.0, 0.0, -0.6], [0.02, 0.0, -0.05], along(4))[None]
    pistil = tubes(path, np.full((1, 4), 0.08))
    return Sheets(anthers, dark), Sheets(pistil, floats([0.72, 0.74, 0.4]))


def ribs(t: Floats, s: Floats) -> Floats:
    """A crease in the middle and fine lines beside it, running together at the tip."""
    return floats(1.0 - 0.16 * np.exp(-((s / 0.09) ** 2)) * (1.0 - 0.6 * t) - 0.035 * np.cos(34.0 * s))
