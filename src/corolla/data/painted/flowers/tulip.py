"""The tulip: three petals inside three, an egg when closed and a bowl when open."""

import numpy as np

from corolla.data.painted.flowers.head import LEAF_GREEN, Head, about, pigment, tints
from corolla.data.painted.sheets import Floats, Sheets, across, along, blend, cups, straps, tubes

COLOURS = {"red": 4, "crimson": 1, "pink": 2.5, "white": 2, "cream": 1, "yellow": 3.5, "gold": 1, "orange": 2,
           "coral": 1.2, "magenta": 1.2, "lilac": 1, "purple": 1.5}  # fmt: skip
HEIGHTS = np.array([0.0, 0.18, 0.42, 0.72, 1.0])
CLOSED = np.array([0.07, 0.44, 0.6, 0.5, 0.24])
OPEN = np.array([0.07, 0.46, 0.72, 0.95, 1.12])


def tulip(rng: np.random.Generator) -> Head:
    """A tulip, closed more often than open, sometimes flamed or edged with a second colour."""
    colour, second = pigment(rng, COLOURS), pigment(rng, COLOURS)
    openness = float(rng.beta(1.3, 2.0))
    tall = float(rng.uniform(1.35, 1.65)) - 0.35 * openness
    style = rng.choice(["plain", "flamed", "edged"], p=[0.6, 0.2, 0.2])
    inner = whorl(rng, openness, tall, 0.92, colour, second, style)
    outer = whorl(rng, openness, tall * 0.97, 1.0, colour, second, style, np.pi / 3)
    throat = stamens(rng, second)
    return Head((inner, outer, *throat), foot=-0.62, neck=0.07, leaf="blade", nods=(0.1, 1.35, 1.7))


def whorl(
    rng: np.random.Generator,
    openness: float,
    tall: float,
    room: float,
    colour: Floats,
    second: Floats,
    style: str,
    turn: float = 0.0,
) -> Sheets:
    """Three petals a third of a turn apart."""
    t = along(11, 1.4)
    azimuth = (turn + np.arange(3) * (2 * np.pi / 3) + rng.normal(0.0, 0.06, 3)).astype(np.float32)
    each = np.clip(openness + rng.normal(0.0, 0.07, (3, 1)), 0.0, 1.0)
    distance = (1.0 - each) * np.interp(t, HEIGHTS, CLOSED) + each * np.interp(t, HEIGHTS, OPEN)
    height = tall * (t - 0.18 * each * t**4) - 0.62
    wide = float(rng.uniform(0.98, 1.18)) - 0.25 * openness
    half = wide * (0.75 + 0.25 * np.sin(np.minimum(t / 0.4, 1) * 1.5708)) * (1.0 - t**3.2) ** 0.6
    points = cups(
        azimuth,
        (room * distance).astype(np.float32),
        height.astype(np.float32),
        np.broadcast_to(half, (3, 11)).astype(np.float32),
        spiral=0.04,
        ripple=0.03,
    )
    s = np.abs(across(9))[None, :]
    column = t[:, None]
    if style == "flamed":
        weight = np.clip(1.2 - 2.2 * s - 0.8 * column, 0.0, 1.0)
    elif style == "edged":
        weight = np.clip(3.0 * np.maximum(s, column**1.5) - 2.0, 0.0, 1.0)
    else:
        weight = 0.0 * (s + column)
    paint = blend(colour, second, weight)
    green = np.clip(0.75 - 5.0 * column, 0.0, 0.6) * np.ones_like(s)  # the foot stays a little green
    paint = blend(paint, np.array([0.75, 0.78, 0.42]), green) * (0.78 + 0.22 * column[..., None] ** 0.7)
    return Sheets(
        points, paint[None] * tints(rng, 3, 0.07) * np.ones_like(points), relief=ribs, sheer=0.45, gloss=0.06
    )


def stamens(rng: np.random.Generator, second: Floats) -> tuple[Sheets, Sheets]:
    """Six dark anthers around a pale pistil, seen when the flower is open."""
    azimuth = (np.arange(6) * (np.pi / 3)).astype(np.float32)
    dark = (
        np.array([0.16, 0.1, 0.12], np.float32)
        if rng.random() < 0.6
        else np.array([0.8, 0.62, 0.2], np.float32)
    )
    anthers = straps(
        azimuth, 0.5, 0.06, np.float32([0.4, 0.4, 1, 1, 0.5]), root=(0.05, -0.55), elevation=1.15
    )
    path = np.linspace([0, 0, -0.6], [0, 0, -0.05], 4, dtype=np.float32)[None] + about(rng, 1, 0.0, 0.02)[0]
    path[..., 0] += np.linspace(0.0, 0.02, 4)
    return (
        Sheets(anthers, dark * np.ones_like(anthers)),
        Sheets(tubes(path, 0.08), np.float32([0.72, 0.74, 0.4]) * np.ones_like(tubes(path, 0.08))),
    )


def ribs(t: Floats, s: Floats) -> Floats:
    """A crease in the middle and fine lines beside it, running together at the tip."""
    crease = 0.16 * np.exp(-((s / 0.09) ** 2)) * (1.0 - 0.6 * t)
    return (1.0 - crease - 0.035 * np.cos(34.0 * s)).astype(np.float32)
