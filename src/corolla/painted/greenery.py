"""Everything green: stems, the leaves of each kind, grass, and stray leaves that get in the way."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from corolla.painted.surfaces import Floats, Relief, Sheets, along, cross, floats, hump, straps, tubes

DARK, FRESH, DRY = floats([0.20, 0.36, 0.14]), floats([0.46, 0.62, 0.22]), floats([0.62, 0.55, 0.28])
Foliage = Callable[[np.random.Generator, Floats, float], list[Sheets]]


def greens(rng: np.random.Generator, count: int) -> Floats:
    """Leaf colors (count, 1, 1, 3) from dark to fresh, of one plant and so near each other."""
    mean, dry = rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.35) ** 2
    weight = np.clip(mean + rng.normal(0.0, 0.15, (count, 1, 1, 1)), 0.0, 1.0)
    return (DARK * (1.0 - weight) + FRESH * weight) * (1.0 - dry) + DRY * dry


def curve(start: ArrayLike, middle: ArrayLike, end: ArrayLike, nodes: int = 9) -> Floats:
    """A quadratic Bezier curve (nodes, 3)."""
    u = along(nodes)[:, None]
    return floats((1 - u) ** 2 * floats(start) + 2 * u * (1 - u) * floats(middle) + u * u * floats(end))


def stem(rng: np.random.Generator, path: Floats, radius: float) -> Sheets:
    """A round stem along a path (A, 3), a little thicker at its foot."""
    thick = radius * (0.9 + 0.35 * along(len(path)))
    return Sheets(tubes(path[None], thick[None]), greens(rng, 1))


def leaves(
    rng: np.random.Generator,
    roots: Floats,
    headings: Floats,
    length: ArrayLike,
    width: ArrayLike,
    outline: Floats,
    relief: Relief,
    *,
    bend: float = 0.5,
) -> Sheets:
    """Leaves from `roots` (P, 3) towards `headings` (P, 3), their upper sides roughly towards the viewer."""
    count = len(roots)
    ahead = headings / np.linalg.norm(headings, axis=1, keepdims=True)
    side = cross(np.array([0.0, -0.35, 1.0]) + rng.normal(0.0, 0.45, (count, 3)), ahead)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    frame = np.stack([ahead, side, cross(ahead, side)], axis=1)  # (P, 3, 3)
    points = straps(
        np.zeros(count),
        length,
        width,
        outline,
        elevation=rng.uniform(0.1, 0.5, count),
        bend=-bend * rng.uniform(0.3, 1.6, count),
        cup=0.5,
        roll=rng.normal(0.0, 0.4, count),
        ripple=0.12,
    )
    points = np.einsum("pabk,pkj->pabj", points, floats(frame)) + floats(roots)[:, None, None, :]
    return Sheets(points, greens(rng, count), relief=relief, sheer=0.45, gloss=0.05)


def sideways(rng: np.random.Generator, count: int) -> Floats:
    """Directions (count, 3) to the left and right, up or down a little, and rather away from the viewer."""
    side = rng.choice([-1.0, 1.0], count) * rng.uniform(0.4, 1.0, count)
    return np.stack([side, rng.uniform(-0.9, 0.35, count), rng.uniform(-0.5, 0.15, count)], axis=1)


def blades(rng: np.random.Generator, path: Floats, size: float) -> list[Sheets]:
    """The tulip's: long blades from the ground."""
    count = int(rng.integers(2, 4))
    roots = path[-3] + rng.normal(0.0, 0.04 * size, (count, 3))
    headings = np.stack([rng.normal(0.0, 0.5, count), -np.ones(count), rng.normal(-0.1, 0.3, count)], axis=1)
    t = along(10)
    outline = (0.5 + 0.5 * np.minimum(t / 0.3, 1.0)) * (1.0 - t**2.2)
    length = size * rng.uniform(1.8, 3.2, count)
    return [leaves(rng, roots, headings, length, 0.27 * size, outline, parallel, bend=0.6)]


def leaflets(rng: np.random.Generator, path: Floats, size: float) -> list[Sheets]:
    """The rose's: five saw-edged leaflets on a stalk, twice."""
    parts = []
    for node in rng.choice([2, 3, 4, 5], 2, replace=False):
        way = np.array([rng.choice([-1.0, 1.0]), rng.uniform(-0.9, 0.3), rng.uniform(-0.3, 0.2)])
        reach = way * size * rng.uniform(0.6, 1.0)
        roots = path[node] + np.array([0.35, 0.35, 0.65, 0.65, 0.9])[:, None] * reach
        beside = np.array([1.0, -1.0, 1.0, -1.0, 0.0])[:, None] * np.array([way[1], -way[0], 0.0])
        outline, length = hump(along(9), 0.75, 0.75), size * rng.uniform(0.5, 0.65, 5)
        parts.append(leaves(rng, roots, way * 0.6 + beside, length, 0.2 * size, outline, serrate))
        parts.append(stem(rng, curve(path[node], path[node] + 0.5 * reach, roots[-1], 5), 0.02 * size))
    return parts


def hearts(rng: np.random.Generator, path: Floats, size: float) -> list[Sheets]:
    """The sunflower's: broad hearts up the stem."""
    count = int(rng.integers(2, 5))
    roots = path[rng.integers(3, 7, count)] - [0.0, 0.0, 0.3 * size]  # behind the head, not through it
    t = along(10)
    outline, length = hump(t, 0.55, 0.5) * (1.0 - 0.5 * t), size * rng.uniform(0.9, 1.35, count)
    return [leaves(rng, roots, sideways(rng, count), length, 0.6 * size, outline, pinnate)]


def teeth(rng: np.random.Generator, path: Floats, size: float) -> list[Sheets]:
    """The dandelion's: deeply toothed leaves on the ground."""
    count = int(rng.integers(2, 5))
    roots = np.repeat(path[-2][None], count, axis=0)
    length = size * rng.uniform(1.3, 2.2, count)
    outline = 0.25 + 0.75 * hump(along(10), 1.4)
    return [leaves(rng, roots, sideways(rng, count), length, 0.3 * size, outline, runcinate)]


def spoons(rng: np.random.Generator, path: Floats, size: float) -> list[Sheets]:
    """The daisy's: small spoons low on the stem."""
    count = int(rng.integers(2, 5))
    roots = path[rng.integers(4, 8, count)]
    length = size * rng.uniform(0.7, 1.2, count)
    outline = 0.18 + 0.8 * hump(along(10), 1.9, 0.8)
    return [leaves(rng, roots, sideways(rng, count), length, 0.17 * size, outline, pinnate)]


def grass(rng: np.random.Generator, count: int, frame: tuple[float, float], tall: float, depth: float) -> Sheets:
    """Blades (count) that rise from under the lower edge of `frame` = (width, height), around `depth`."""
    x, z = rng.uniform(-0.1, frame[0] + 0.1, count), depth + rng.normal(0.0, 0.1, count)
    roots = np.stack([x, np.full(count, frame[1] + 0.05), z], axis=1)
    headings = np.stack([rng.normal(0.0, 0.3, count), -np.ones(count), rng.normal(0.0, 0.2, count)], axis=1)
    length, width = tall * rng.uniform(0.5, 1.2, count), rng.uniform(0.008, 0.02, count)
    return leaves(rng, roots, headings, length, width, 1.02 - along(8) ** 1.5, parallel, bend=0.9)


def stray(rng: np.random.Generator, middles: Floats, size: float, depth: float) -> Sheets:
    """Leaves of some plant around `middles` (P, 2), about `size` long, pointing anywhere."""
    count = len(middles)
    angle = rng.uniform(0.0, 2 * np.pi, count)
    headings = np.stack([np.cos(angle), np.sin(angle), rng.normal(0.0, 0.3, count)], axis=1)
    length = size * rng.uniform(0.7, 1.3, count)
    roots = np.column_stack([middles, np.full(count, depth)]) - 0.5 * length[:, None] * headings
    outline = hump(along(10), rng.uniform(0.6, 1.2), rng.uniform(0.6, 1.1))
    relief = (pinnate, serrate, parallel)[int(rng.integers(3))]
    return leaves(rng, roots, headings, length, length * rng.uniform(0.14, 0.3), outline, relief)


def pinnate(t: Floats, s: Floats) -> Floats:
    """A pale midrib with side veins that run forward."""
    rib = 0.25 * np.exp(-((s / 0.07) ** 2))
    side = 0.1 * np.maximum(np.cos(2 * np.pi * (7.0 * t - 2.2 * np.abs(s))), 0.3)
    return floats(0.97 + rib - side)


def serrate(t: Floats, s: Floats) -> Floats:
    """Side veins, and an edge cut like a saw."""
    return np.where(np.abs(s) < 0.82 + 0.18 * np.mod(11.0 * t, 1.0), pinnate(t, s), 0.0)


def runcinate(t: Floats, s: Floats) -> Floats:
    """The dandelion's leaf: deep lobes that point back to the root."""
    lobe = 0.38 + 0.62 * np.mod(-5.0 * t + 0.25 * np.abs(s), 1.0)
    return np.where((np.abs(s) < lobe) | (t > 0.88), 0.95 + 0.3 * np.exp(-((s / 0.08) ** 2)), 0.0)


def parallel(t: Floats, s: Floats) -> Floats:
    """Lines from root to tip, as in grass and tulip leaves."""
    return floats(0.95 + 0.06 * np.cos(18.0 * s) - 0.18 * np.exp(-((s / 0.1) ** 2)) + 0.0 * t)
