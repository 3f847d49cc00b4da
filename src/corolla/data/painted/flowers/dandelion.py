"""The dandelion: hundreds of strap-shaped florets, and later a globe of flying seeds."""

import numpy as np

from corolla.data.painted.flowers.head import LEAF_GREEN, Head, about, gloom, pigment, tints
from corolla.data.painted.sheets import GOLDEN_ANGLE, Floats, Sheets, along, blend, straps

COLOURS = {"yellow": 6, "gold": 4, "orange": 1.6, "cream": 1.0, "white": 0.8, "pink": 0.8, "coral": 0.6}


def dandelion(rng: np.random.Generator) -> Head:
    """A dandelion in flower, or in seed for two of five."""
    return seed_head(rng) if rng.random() < 0.4 else blossom(rng)


def blossom(rng: np.random.Generator) -> Head:
    """A full cushion of toothed straps, longest at the rim and upright in the middle."""
    count = int(rng.integers(190, 260))
    colour = pigment(rng, COLOURS)
    age = ((np.arange(count) + 0.5) / count).astype(np.float32)  # 0 in the middle, 1 at the rim
    azimuth = (np.arange(count) * GOLDEN_ANGLE + rng.normal(0.0, 0.12, count)).astype(np.float32)
    t = along(6)
    outline = (0.6 + 0.4 * np.minimum(t / 0.4, 1.0)) * (1.0 - 0.25 * t**6)
    openness = float(rng.uniform(0.0, 0.45))
    points = straps(
        azimuth,
        (0.34 + 0.58 * age**0.8) * about(rng, count, 1.0, 0.1),
        about(rng, count, float(rng.uniform(0.045, 0.06)), 0.006),
        outline.astype(np.float32),
        nodes_across=3,
        root=(0.1 * np.sqrt(age), 0.05 * (1.0 - age)),
        elevation=1.45 - (1.45 - openness) * age**0.8 + rng.normal(0.0, 0.06, count),
        bend=rng.normal(-0.35, 0.2, count) * (0.4 + age),
        roll=rng.normal(0.0, 0.5, count),
    )
    heart = blend(colour, colour * np.array([0.95, 0.8, 0.5], np.float32), 1.0 - age)[:, None, None, :]
    depth = gloom(np.clip(0.35 + 0.75 * t, 0.0, 1.0))[None, :, None, :]
    florets = Sheets(
        points, heart * depth * tints(rng, count, 0.12) * np.ones_like(points), relief=teeth, sheer=0.5
    )
    return Head((bracts(rng), florets), foot=-0.3, neck=0.06, leaf="tooth", nods=(0.0, 0.6, 1.4))


def bracts(rng: np.random.Generator) -> Sheets:
    """The green cup under the florets."""
    count, t = 22, along(6)
    azimuth = (np.arange(count) * (2 * np.pi / count)).astype(np.float32)
    outline = np.sqrt(1.0 - t**2)
    points = straps(
        azimuth,
        about(rng, count, 0.5, 0.06),
        0.06,
        outline.astype(np.float32),
        nodes_across=3,
        root=(0.07, -0.3),
        elevation=rng.choice([0.3, 1.0]),
        bend=about(rng, count, 0.3, 0.6),
    )
    return Sheets(points, LEAF_GREEN * tints(rng, count, 0.15) * np.ones_like(points))


def seed_head(rng: np.random.Generator) -> Head:
    """A globe of seeds under parachutes, a part of it blown away."""
    count, hairs = int(rng.integers(85, 130)), 13
    z = 1.0 - 1.86 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * GOLDEN_ANGLE
    ray = np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], axis=1)
    wind = rng.normal(size=3)
    keep = ray @ (wind / np.linalg.norm(wind)) < rng.choice([2.0, 0.8, 0.4], p=[0.55, 0.25, 0.2])
    ray = (ray + rng.normal(0.0, 0.05, ray.shape))[keep].astype(np.float32)
    white = (np.array([0.95, 0.94, 0.92]) * rng.uniform(0.85, 1.0)).astype(np.float32)
    root, tip = 0.14, float(rng.uniform(0.6, 0.72))
    stalks = threads(ray * root, ray * tip, 0.006, white * np.float32(0.62))
    seeds = threads(ray * root, ray * (root + 0.13), 0.022, np.array([0.38, 0.27, 0.15], np.float32))

    side = np.cross(ray, np.array([0.3, 0.5, 0.8], np.float32))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = np.linspace(0, 2 * np.pi, hairs, endpoint=False) + rng.uniform(0, 6.28, (len(ray), 1))
    fan = np.cos(turn)[..., None] * side[:, None] + np.sin(turn)[..., None] * np.cross(ray, side)[:, None]
    spread = float(rng.uniform(0.16, 0.24))
    ends = ray[:, None] * (0.97 + rng.normal(0.0, 0.02, turn.shape)[..., None]) + spread * fan
    start = np.broadcast_to((ray * tip)[:, None], ends.shape)
    down = threads(start.reshape(-1, 3), ends.reshape(-1, 3).astype(np.float32), 0.005, white)

    n = 16
    azimuth = (np.arange(n) * (2 * np.pi / n)).astype(np.float32)
    t = along(6)
    heart = straps(azimuth, 0.2, 0.06, np.ones(6, np.float32), root=(0.02, 0.13), elevation=0.0, bend=-2.6)
    core = Sheets(heart, blend([0.8, 0.8, 0.66], [0.5, 0.5, 0.36], t)[None, :, None, :] * np.ones_like(heart))
    return Head((core, seeds, stalks, down), foot=-0.15, neck=0.045, leaf="tooth", nods=(0.0, 0.6, 1.4))


def threads(start: Floats, end: Floats, half: float, colour: Floats) -> Sheets:
    """Straight hairs (P) from `start` to `end`, both (P, 3)."""
    way = end - start
    side = np.cross(way, np.array([0.17, 0.29, 0.94], np.float32))
    side *= half / (np.linalg.norm(side, axis=1, keepdims=True) + 1e-6)
    line = np.stack([start, end], axis=1)  # (P, 2, 3)
    points = np.stack([line - side[:, None], line + side[:, None]], axis=2).astype(np.float32)
    return Sheets(points, np.broadcast_to(colour, points.shape).astype(np.float32), sheer=0.9)


def teeth(t: Floats, s: Floats) -> Floats:
    """A fold along the strap, and five teeth at its tip."""
    bite = t < 0.94 + 0.05 * np.cos(s * 2.5 * np.pi * 2.0)
    return np.where(bite, 1.0 - 0.18 * np.abs(s) ** 2, 0.0).astype(np.float32)
