"""Everything green: stems, the leaves of each kind, grass, and stray leaves that get in the way."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from corolla.data.painted.sheets import Floats, Relief, Sheets, along, cross, hump, straps, tubes

DARK, FRESH, DRY = (
    np.float32([0.20, 0.36, 0.14]),
    np.float32([0.46, 0.62, 0.22]),
    np.float32([0.62, 0.55, 0.28]),
)


def greens(rng: np.random.Generator, count: int) -> Floats:
    """Leaf colours (count, 1, 1, 3) from dark to fresh, of one plant and so near each other."""
    mean, dry = rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.35) ** 2
    weight = np.clip(mean + rng.normal(0.0, 0.15, (count, 1)), 0.0, 1.0)
    colour = (DARK * (1.0 - weight) + FRESH * weight) * (1.0 - dry) + DRY * dry
    return colour.astype(np.float32)[:, None, None, :]


def curve(start: ArrayLike, middle: ArrayLike, end: ArrayLike, nodes: int = 9) -> Floats:
    """A quadratic Bezier curve (nodes, 3)."""
    u = np.linspace(0.0, 1.0, nodes, dtype=np.float32)[:, None]
    points = (1 - u) ** 2 * np.asarray(start) + 2 * u * (1 - u) * np.asarray(middle) + u * u * np.asarray(end)
    return points.astype(np.float32)


def stem(rng: np.random.Generator, path: Floats, radius: float) -> Sheets:
    """A round stem along a path (A, 3), a little thicker at its foot."""
    points = tubes(path[None], radius * np.linspace(0.9, 1.25, len(path), dtype=np.float32)[None])
    return Sheets(points, greens(rng, 1) * np.ones_like(points))


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
    fold: float = 0.5,
) -> Sheets:
    """Leaves from `roots` (P, 3) towards `headings` (P, 3), their upper sides roughly towards the viewer."""
    count = len(roots)
    ahead = headings / np.linalg.norm(headings, axis=1, keepdims=True)
    up = rng.normal(0.0, 0.45, (count, 3)) + np.array([0.0, -0.35, 1.0])
    side = cross(up, ahead)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    frame = np.stack([ahead, side, cross(ahead, side)], axis=1).astype(np.float32)  # (P, 3, 3)
    points = straps(
        np.zeros(count, np.float32),
        length,
        width,
        outline,
        elevation=rng.uniform(0.1, 0.5, count),
        bend=-bend * rng.uniform(0.3, 1.6, count),
        cup=fold,
        roll=rng.normal(0.0, 0.4, count),
        ripple=0.12,
    )
    points = np.einsum("pabk,pkj->pabj", points, frame) + roots[:, None, None, :]
    colours = greens(rng, count) * np.ones_like(points)
    return Sheets(points.astype(np.float32), colours, relief=relief, sheer=0.45, gloss=0.05)


def foliage(rng: np.random.Generator, kind: str, path: Floats, size: float) -> list[Sheets]:
    """The leaves that belong to a stem `path` (A, 3) from the head down, for a flower of radius `size`."""
    if kind == "blade":  # long blades from the ground
        count = int(rng.integers(2, 4))
        roots = np.repeat(path[-3][None], count, axis=0) + rng.normal(0.0, 0.04 * size, (count, 3))
        headings = np.stack(
            [rng.normal(0.0, 0.5, count), -np.ones(count), rng.normal(-0.1, 0.3, count)], axis=1
        )
        t = along(10)
        outline = (0.5 + 0.5 * np.minimum(t / 0.3, 1.0)) * (1.0 - t**2.2)
        spread = size * rng.uniform(1.8, 3.2, count)
        made = leaves(rng, roots, headings, spread, 0.27 * size, outline, parallel, bend=0.6, fold=0.8)
        return [made]
    if kind == "leaflets":  # five leaflets on a stalk
        parts = []
        for node in rng.choice([2, 3, 4, 5], 2, replace=False):
            way = np.array([rng.choice([-1.0, 1.0]), rng.uniform(-0.9, 0.3), rng.uniform(-0.2, 0.5)])
            reach = size * rng.uniform(0.6, 1.0)
            stalk = path[node] + np.array([0.35, 0.35, 0.65, 0.65, 0.9])[:, None] * way * reach
            normal = np.array([way[1], -way[0], 0.0])
            turn = np.array([1.0, -1.0, 1.0, -1.0, 0.0])[:, None]
            t = along(9, 1.2)
            outline = hump(t, 0.75, 0.75)
            lengths = size * rng.uniform(0.5, 0.65, 5)
            parts.append(leaves(rng, stalk, way * 0.6 + normal * turn, lengths, 0.2 * size, outline, serrate))
            parts.append(
                stem(rng, curve(path[node], path[node] + 0.5 * way * reach, stalk[-1], 5), 0.02 * size)
            )
        return parts
    count = int(rng.integers(2, 5))
    if kind == "heart":  # broad hearts up the stem
        roots = path[rng.integers(2, 6, count)]
        t = along(10, 1.3)
        outline, relief = hump(t, 0.55, 0.5) * (1.0 - 0.5 * t), pinnate
        length, width = size * rng.uniform(0.9, 1.35, count), size * 0.6
    elif kind == "tooth":  # toothed leaves on the ground
        roots = np.repeat(path[-2][None], count, axis=0)
        t = along(10, 1.1)
        outline, relief = 0.25 + 0.75 * hump(t, 1.4), runcinate
        length, width = size * rng.uniform(1.3, 2.2, count), size * 0.3
    else:  # spoons, near the ground
        roots = path[rng.integers(4, 8, count)]
        t = along(10)
        outline, relief = 0.18 + 0.8 * hump(t, 1.9, 0.8), pinnate
        length, width = size * rng.uniform(0.7, 1.2, count), size * 0.17
    side = rng.choice([-1.0, 1.0], count) * rng.uniform(0.4, 1.0, count)
    headings = np.stack([side, rng.uniform(-0.9, 0.35, count), rng.uniform(-0.3, 0.6, count)], axis=1)
    return [leaves(rng, roots, headings, length, width, outline.astype(np.float32), relief)]


def grass(
    rng: np.random.Generator, count: int, frame: tuple[float, float], tall: float, depth: float
) -> Sheets:
    """Blades (count) that rise from under the lower edge of `frame` = (width, height), around `depth`."""
    roots = np.stack(
        [
            rng.uniform(-0.1, frame[0] + 0.1, count),
            np.full(count, frame[1] + 0.05),
            depth + rng.normal(0.0, 0.1, count),
        ],
        axis=1,
    )
    headings = np.stack([rng.normal(0.0, 0.3, count), -np.ones(count), rng.normal(0.0, 0.2, count)], axis=1)
    t = along(8)
    return leaves(
        rng,
        roots.astype(np.float32),
        headings,
        tall * rng.uniform(0.5, 1.2, count),
        rng.uniform(0.008, 0.02, count),
        (1.0 - t**1.5).astype(np.float32) + 0.02,
        parallel,
        bend=0.9,
    )


def stray(
    rng: np.random.Generator,
    spots: Sequence[tuple[float, float]],
    size: float,
    depth: float,
    heading: Floats | None = None,
) -> Sheets:
    """Plain leaves through the given spots, of length `size`, pointing anywhere or along `heading` (P, 3)."""
    count = len(spots)
    middle = np.concatenate([np.asarray(spots, np.float32), np.full((count, 1), depth, np.float32)], axis=1)
    if heading is None:
        angle = rng.uniform(0.0, 2 * np.pi, count)
        heading = np.stack([np.cos(angle), np.sin(angle), rng.normal(0.0, 0.3, count)], axis=1)
    length = size * rng.uniform(0.7, 1.3, count)
    t = along(10, 1.2)
    slender = rng.uniform(0.6, 1.2)
    outline = hump(t, slender, rng.uniform(0.6, 1.1))
    roots = middle - 0.5 * length[:, None] * heading
    relief = (pinnate, serrate, parallel)[int(rng.integers(3))]
    return leaves(
        rng,
        roots.astype(np.float32),
        heading,
        length,
        length * rng.uniform(0.14, 0.3),
        outline.astype(np.float32),
        relief,
    )


def pinnate(t: Floats, s: Floats) -> Floats:
    """A pale midrib with side veins that run forward."""
    rib = 0.25 * np.exp(-((s / 0.07) ** 2))
    side = 0.1 * np.maximum(np.cos(2 * np.pi * (7.0 * t - 2.2 * np.abs(s))), 0.3)
    return (0.97 + rib - side).astype(np.float32)


def serrate(t: Floats, s: Floats) -> Floats:
    """Side veins, and an edge cut like a saw."""
    saw = np.mod(11.0 * t, 1.0)
    return np.where(np.abs(s) < 0.82 + 0.18 * saw, pinnate(t, s), 0.0).astype(np.float32)


def runcinate(t: Floats, s: Floats) -> Floats:
    """The dandelion's leaf: deep lobes that point back to the root."""
    lobe = 0.38 + 0.62 * np.mod(-5.0 * t + 0.25 * np.abs(s), 1.0)
    return np.where((np.abs(s) < lobe) | (t > 0.88), 0.95 + 0.3 * np.exp(-((s / 0.08) ** 2)), 0.0).astype(
        np.float32
    )


def parallel(t: Floats, s: Floats) -> Floats:
    """Lines from root to tip, as in grass and tulip leaves."""
    return (0.95 + 0.06 * np.cos(18.0 * s) - 0.18 * np.exp(-((s / 0.1) ** 2)) + 0.0 * t).astype(np.float32)
