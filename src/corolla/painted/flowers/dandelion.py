"""The dandelion: hundreds of strap-shaped florets, and later a globe of flying seeds."""

import numpy as np

from corolla.painted.flowers.head import LEAF_GREEN, Head, about, gloom, pigment, tints
from corolla.painted.greenery import teeth
from corolla.painted.surfaces import (
    GOLDEN_ANGLE,
    Floats,
    Sheets,
    along,
    blend,
    cross,
    floats,
    spokes,
    straps,
)

COLORS = {"yellow": 8, "gold": 4, "orange": 1.2, "cream": 0.8, "white": 0.6, "pink": 0.5, "coral": 0.3}


def dandelion(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A dandelion in flower, or in seed for two of five."""
    return seed_head(rng) if rng.random() < 0.4 else blossom(rng, dye)


def blossom(rng: np.random.Generator, dye: np.random.Generator) -> Head:
    """A full cushion of toothed straps, longest at the rim and upright in the middle."""
    count = int(rng.integers(190, 260))
    color = pigment(dye, COLORS)
    age = (np.arange(count) + 0.5) / count  # 0 in the middle, 1 at the rim
    openness = rng.uniform(0.0, 0.45)
    t = along(6)
    points = straps(
        np.arange(count) * GOLDEN_ANGLE + rng.normal(0.0, 0.12, count),
        (0.34 + 0.58 * age**0.8) * about(rng, count, 1.0, 0.1),
        about(rng, count, rng.uniform(0.045, 0.06), 0.006),
        (0.6 + 0.4 * np.minimum(t / 0.4, 1.0)) * (1.0 - 0.25 * t**6),
        nodes_across=3,
        root=(0.1 * np.sqrt(age), 0.24 * (1.0 - age)),
        elevation=1.45 - (1.45 - openness) * age**0.8 + rng.normal(0.0, 0.06, count),
        bend=rng.normal(-0.35, 0.2, count) * (0.4 + age),
        roll=rng.normal(0.0, 0.5, count),
    )
    heart = blend(color, color * [1.0, 0.86, 0.6], 1.0 - age)[:, None, None, :]
    depth = gloom(np.minimum(0.5 + 0.6 * t, 1.0))[None, :, None, :]
    florets = Sheets(points, heart * depth * tints(rng, count, 0.12), relief=notches, sheer=0.5)
    return Head((bracts(rng), florets), foot=-0.3, neck=0.06, nods=(0.0, 0.6, 1.4), foliage=teeth)


def bracts(rng: np.random.Generator) -> Sheets:
    """The green cup under the florets."""
    count, t = 22, along(6)
    points = straps(
        spokes(count),
        about(rng, count, 0.5, 0.06),
        0.06,
        np.sqrt(1.0 - t**2),
        nodes_across=3,
        root=(0.07, -0.3),
        elevation=rng.choice([0.3, 1.0]),
        bend=about(rng, count, 0.3, 0.6),
    )
    return Sheets(points, LEAF_GREEN * tints(rng, count, 0.15))


def seed_head(rng: np.random.Generator) -> Head:
    """A globe of seeds under parachutes, a part of it blown away."""
    count, hairs = int(rng.integers(85, 130)), 13
    z = 1.0 - 1.86 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * GOLDEN_ANGLE
    ray = np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], axis=1)
    wind = rng.normal(size=3)
    standing = ray @ (wind / np.linalg.norm(wind)) < rng.choice([2.0, 0.8, 0.4], p=[0.55, 0.25, 0.2])
    ray = (ray + rng.normal(0.0, 0.05, ray.shape))[standing]
    white = np.array([0.95, 0.94, 0.92]) * rng.uniform(0.85, 1.0)
    root, top, spread = 0.14, rng.uniform(0.6, 0.72), rng.uniform(0.16, 0.24)
    stalks = threads(ray * root, ray * top, 0.006, white * 0.62)
    seeds = threads(ray * root, ray * (root + 0.13), 0.022, floats([0.38, 0.27, 0.15]))

    side = cross(ray, floats([0.3, 0.5, 0.8]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = spokes(hairs) + rng.uniform(0, 2 * np.pi, (len(ray), 1))  # (seeds, hairs)
    fan = np.cos(turn)[..., None] * side[:, None] + np.sin(turn)[..., None] * cross(ray, side)[:, None]
    ends = ray[:, None] * (0.97 + rng.normal(0.0, 0.02, (*turn.shape, 1))) + spread * fan
    down = threads(np.repeat(ray * top, hairs, axis=0), ends.reshape(-1, 3), 0.005, white)

    bald = straps(spokes(16), 0.2, 0.06, np.ones(6), root=(0.02, 0.13), bend=-2.6)
    core = Sheets(bald, blend([0.8, 0.8, 0.66], [0.5, 0.5, 0.36], along(6))[None, :, None, :])
    return Head((core, seeds, stalks, down), foot=-0.15, neck=0.045, nods=(0.0, 0.6, 1.5), foliage=teeth)


def threads(start: Floats, end: Floats, half: float, color: Floats) -> Sheets:
    """Straight hairs (P) from `start` to `end`, both (P, 3)."""
    side = cross(end - start, floats([0.17, 0.29, 0.94]))
    side *= half / (np.linalg.norm(side, axis=1, keepdims=True) + 1e-6)
    line = np.stack([start, end], axis=1)  # (P, 2, 3)
    return Sheets(np.stack([line - side[:, None], line + side[:, None]], axis=2), color, sheer=0.9)


def notches(t: Floats, s: Floats) -> Floats:
    """A fold along the strap, and five teeth at its tip."""
    return np.where(t < 0.97 + 0.025 * np.cos(s * 5.0 * np.pi), 1.0 - 0.18 * s * s, 0.0)
