"""Small animals that sit on flowers and hide a part of them: a ladybird, a bee, a butterfly."""

import numpy as np

from corolla.painted.surfaces import Floats, Sheets, across, along, floats, hump, straps


def visitor(rng: np.random.Generator) -> list[Sheets]:
    """A random animal around the origin, about 1 in size, seen from above."""
    return (ladybird, bee, butterfly)[int(rng.integers(3))](rng)


def body(length: float, width: float, middle: float = 0.0) -> Floats:
    """Points (1, A, B, 3) of the upper half of an egg along x, around `middle`."""
    angle = np.pi * along(11)[:, None]
    side = across(7)[None, :] * (0.5 * np.pi)
    x, y, z = (
        middle - length * np.cos(angle),
        width * np.sin(angle) * np.sin(side),
        width * np.sin(angle) * np.cos(side),
    )
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)[None]


def ladybird(rng: np.random.Generator) -> list[Sheets]:
    """Red or yellow, with spots."""
    shell = floats([0.95, 0.6, 0.1] if rng.random() < 0.25 else [0.8, 0.1, 0.06])
    return [
        Sheets(body(0.8, 0.62), shell, relief=spots, sheer=0.0, gloss=0.4),
        Sheets(body(0.32, 0.4, 0.75), floats([0.06, 0.05, 0.05]), sheer=0.0, gloss=0.3),
    ]


def bee(rng: np.random.Generator) -> list[Sheets]:
    """Striped, with two clear wings."""
    spread = float(rng.uniform(1.9, 2.5))
    wings = straps(floats([spread, -spread]), 0.9, 0.22, hump(along(8), 0.7, 0.7), root=(0.1, 0.36), elevation=0.3)
    return [
        Sheets(body(0.7, 0.36, -0.2), floats([0.85, 0.6, 0.12]), relief=stripes, sheer=0.0),
        Sheets(body(0.3, 0.3, 0.6), floats([0.2, 0.14, 0.08]), sheer=0.0),
        Sheets(wings, floats([0.8, 0.82, 0.84]), sheer=0.8),
    ]


def butterfly(rng: np.random.Generator) -> list[Sheets]:
    """Four wings of one color with a dark border."""
    color = rng.uniform(0.25, 1.0, 3)
    t = along(8)
    outline = t**0.6 * np.sqrt(1.0 - t**5) + 0.03
    raised = float(rng.uniform(0.1, 1.0))
    fore = straps(floats([1.0, -1.0]), 1.25, 0.55, outline, root=(0.05, 0.15), elevation=raised)
    hind = straps(floats([2.1, -2.1]), 0.9, 0.55, outline, root=(0.05, 0.12), elevation=raised)
    return [
        Sheets(fore, color, relief=border, sheer=0.6),
        Sheets(hind, color, relief=border, sheer=0.6),
        Sheets(body(0.55, 0.09), floats([0.1, 0.08, 0.07]), sheer=0.0),
    ]


def spots(t: Floats, s: Floats) -> Floats:
    """Six dark spots, and the seam between the wing cases."""
    from_spot = (np.mod(t * 3.2, 1.0) - 0.5) ** 2 * 0.9 + (np.abs(s) - 0.42) ** 2 * 4.0
    return np.where((np.abs(s) < 0.05) | (from_spot < 0.07), 0.06, 1.0)


def stripes(t: Floats, s: Floats) -> Floats:
    """Dark bands around the body."""
    return floats(np.where(np.cos(t * 26.0) > 0.0, 0.12, 1.0) + 0.0 * s)


def border(t: Floats, s: Floats) -> Floats:
    """Fine veins and a dark border."""
    return np.where((t > 0.88) | (np.abs(s) > 0.85), 0.25, 1.0 - 0.25 * (np.cos(9.0 * s) > 0.8))
