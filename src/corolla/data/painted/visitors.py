"""Small animals that sit on flowers and hide a part of them: a ladybird, a bee, a butterfly."""

import numpy as np

from corolla.data.painted.sheets import Floats, Sheets, across, along, hump, straps


def visitor(rng: np.random.Generator) -> list[Sheets]:
    """One of them around the origin, about 1 in size, seen from above."""
    return [ladybird, bee, butterfly][int(rng.integers(3))](rng)


def body(length: float, width: float, colour: Floats, offset: float = 0.0) -> Sheets:
    """The upper half of an egg along x."""
    angle = np.linspace(0.0, np.pi, 9, dtype=np.float32)
    side = across(7) * np.float32(0.5 * np.pi)
    x = np.broadcast_to((-length * np.cos(angle))[:, None] + offset, (9, 7))
    y = width * np.sin(angle)[:, None] * np.sin(side)[None, :]
    z = width * np.sin(angle)[:, None] * np.cos(side)[None, :]
    points = np.stack([x, y, z], axis=-1)[None].astype(np.float32)
    return Sheets(points, colour * np.ones_like(points), sheer=0.0, gloss=0.3)


def ladybird(rng: np.random.Generator) -> list[Sheets]:
    """Red or yellow, with spots."""
    shell = np.array([[0.8, 0.1, 0.06], [0.95, 0.6, 0.1]], np.float32)[int(rng.random() < 0.25)]
    back = body(0.8, 0.62, shell)

    def spots(t: Floats, s: Floats) -> Floats:
        seam = np.abs(s) < 0.05
        rows = (np.mod(t * 3.2, 1.0) - 0.5) ** 2 * 0.9 + (np.abs(s) - 0.42) ** 2 * 4.0
        return np.where(seam | (rows < 0.07), 0.06, 1.0).astype(np.float32)

    dark = np.float32([0.06, 0.05, 0.05])
    return [
        Sheets(back.points, back.colours, relief=spots, sheer=0.0, gloss=0.4),
        body(0.32, 0.4, dark, 0.75),
    ]


def bee(rng: np.random.Generator) -> list[Sheets]:
    """Striped, with two clear wings."""
    striped = body(0.7, 0.36, np.float32([0.85, 0.6, 0.12]), -0.2)

    def stripes(t: Floats, s: Floats) -> Floats:
        return np.where(np.cos(t * 26.0) > 0.0, 0.12, 1.0).astype(np.float32) + 0.0 * s

    t = along(8)
    outline = hump(t, 0.7, 0.7)
    wings = straps(np.float32([2.2, -2.2]), 0.9, 0.22, outline, root=(0.1, 0.36), elevation=0.3)
    return [
        Sheets(striped.points, striped.colours, relief=stripes, sheer=0.0),
        body(0.3, 0.3, np.float32([0.2, 0.14, 0.08]), 0.6),
        Sheets(wings, np.float32([0.8, 0.82, 0.84]) * np.ones_like(wings), sheer=0.8),
    ]


def butterfly(rng: np.random.Generator) -> list[Sheets]:
    """Four wings of one colour with a dark hem."""
    colour = rng.uniform(0.25, 1.0, 3).astype(np.float32)
    t = along(8)
    outline = (t**0.6 * np.sqrt(1.0 - t**5) + 0.03).astype(np.float32)
    raised = float(rng.uniform(0.1, 1.0))
    fore = straps(np.float32([1.0, -1.0]), 1.25, 0.55, outline, root=(0.05, 0.15), elevation=raised)
    hind = straps(np.float32([2.1, -2.1]), 0.9, 0.55, outline, root=(0.05, 0.12), elevation=raised)

    def hem(t: Floats, s: Floats) -> Floats:
        return np.where((t > 0.88) | (np.abs(s) > 0.85), 0.25, 1.0 - 0.25 * (np.cos(9.0 * s) > 0.8)).astype(
            np.float32
        )

    wings = [Sheets(points, colour * np.ones_like(points), relief=hem, sheer=0.6) for points in (fore, hind)]
    return [*wings, body(0.55, 0.09, np.float32([0.1, 0.08, 0.07]))]
