"""Petals, leaves and stems as bent sheets: batches of coarse grids of 3D points.

A sheet has a direction along it (`t`, 0 at the root, 1 at the tip) and one across it (`s`, -1 to 1). Every part
of every plant is a batch of sheets with one grid shape, so a flower of two hundred florets is built by
a handful of array operations. Plants are built in their own frame, where the z axis is the axis of the flower.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Relief = Callable[[Floats, Floats], Floats]

GOLDEN_ANGLE = np.pi * (3.0 - 5.0**0.5)  # Vogel 1979: seeds at multiples of it never line up


@dataclass(frozen=True)
class Sheets:
    """`P` sheets of `A` x `B` nodes: their positions and their colors before lighting.

    The nodes are at `along(A)` and `across(B)`. Colors may have any shape that broadcasts to the shape of the
    points. `relief(t, s)` is the fine pattern that the coarse grid cannot represent (veins, teeth): from `t` of
    shape (n, 1) and `s` of shape (1, m) to brightness factors (n, m); where it is 0 the sheet is cut away.
    """

    points: Floats  # (P, A, B, 3)
    colors: Floats  # (P, A, B, 3), 0 to 1
    relief: Relief | None = None
    sheer: float = 0.35  # the fraction of light from behind that shines through
    gloss: float = 0.0  # the strength of the highlight

    def __post_init__(self) -> None:
        points = floats(self.points)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "colors", np.broadcast_to(floats(self.colors), points.shape))

    def moved(self, rotation: Floats, scale: float, offset: ArrayLike) -> "Sheets":
        """The same sheets rotated by a (3, 3) matrix, then scaled, then shifted by (3,)."""
        return replace(self, points=self.points @ floats(rotation.T * scale) + floats(offset))


def floats(values: ArrayLike) -> NDArray[np.float32]:
    """The values as `float32`, the type of all large arrays."""
    return np.asarray(values, np.float32)


@lru_cache
def along(nodes: int) -> Floats:
    """Positions of the nodes along a sheet, (A,) from 0 to 1, denser at the tip, where outlines are round."""
    return 1.0 - floats(1.0 - np.linspace(0.0, 1.0, nodes)) ** 1.5


@lru_cache
def across(nodes: int) -> Floats:
    """Positions of the nodes across a sheet, (B,) from -1 to 1."""
    return floats(np.linspace(-1.0, 1.0, nodes))


def hump(t: Floats, lean: float = 1.0, blunt: float = 1.0) -> Floats:
    """An outline (A,) that rises from 0 to 1 and falls again, its widest place and its fullness set by two powers."""
    return floats(np.clip(np.sin(np.pi * t**lean), 0.0, 1.0) ** blunt + 0.02)


def swell(t: Floats, full: float) -> Floats:
    """From 0 to 1 while `t` (A,) goes from 0 to `full`, and 1 from there on."""
    return floats(np.sin(np.minimum(t / full, 1.0) * (0.5 * np.pi)))


def spokes(count: int, start: float = 0.0) -> Floats:
    """Evenly spread directions (count,) in radians."""
    return start + np.arange(count) * (2.0 * np.pi / count)


def column(values: ArrayLike) -> Floats:
    """Values per sheet, (P,) or a single one, shaped to meet (P, A, B)."""
    return floats(values).reshape(-1, 1, 1)


def cross(a: Floats, b: Floats) -> Floats:
    """The cross product of vectors (..., 3); `numpy.cross` takes ten times as long for few of them."""
    ax, ay, az, bx, by, bz = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3), x.dtype)
    product[..., 0], product[..., 1], product[..., 2] = x, az * bx - ax * bz, ax * by - ay * bx
    return product


def blend(low: ArrayLike, high: ArrayLike, weight: ArrayLike) -> Floats:
    """Colors between `low` and `high` (..., 3) by `weight` (...)."""
    share = floats(weight)[..., None]
    return floats(floats(low) * (1.0 - share) + floats(high) * share)


def straps(
    azimuth: Floats,
    length: ArrayLike,
    width: ArrayLike,
    outline: Floats,
    *,
    nodes_across: int = 5,
    root: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    elevation: ArrayLike = 0.0,
    bend: ArrayLike = 0.0,
    cup: ArrayLike = 0.0,
    roll: ArrayLike = 0.0,
    ripple: ArrayLike = 0.0,
) -> Floats:
    """Points (P, A, B, 3) of straight petals that leave the axis like spokes.

    `azimuth` (P,) is their direction, `outline` (A,) the half width along `t` in units of `width`. They start
    at `root` = (distance from the axis, height), rise at `elevation` and turn by `bend` radians until the
    tip; `cup` lifts both edges, `roll` turns the cross section and `ripple` waves it.
    """
    t = along(len(outline))[None, :, None]
    s = across(nodes_across)[None, None, :]
    slope = column(elevation) + column(bend) * t  # (P, A, 1)
    step = np.diff(t, axis=1, prepend=np.float32(0.0)) * column(length)
    distance = column(root[0]) + np.cumsum(step * np.cos(slope), axis=1)
    height = column(root[1]) + np.cumsum(step * np.sin(slope), axis=1)

    half = column(width) * floats(outline)[None, :, None]
    waves = np.sin(9.0 * t + 2.0 * s + column(2.3 * np.arange(len(azimuth))))
    lift = half * (column(cup) * (s * s - 0.4) + column(roll) * s * t + column(ripple) * waves * np.abs(s))
    aside = half * s
    distance, height = distance - lift * np.sin(slope), height + lift * np.cos(slope)

    cosine, sine = np.cos(column(azimuth)), np.sin(column(azimuth))
    x = distance * cosine - aside * sine
    y = distance * sine + aside * cosine
    return np.stack(np.broadcast_arrays(x, y, height), axis=-1)


def cups(
    azimuth: Floats,
    distance: Floats,
    height: Floats,
    half_angle: Floats,
    *,
    nodes_across: int = 9,
    spiral: ArrayLike = 0.0,
    droop: ArrayLike = 0.0,
    ripple: ArrayLike = 0.0,
) -> Floats:
    """Points (P, A, B, 3) of broad petals that wrap around the axis.

    `distance` and `height` (P, A) are the profile that is turned around the axis, `half_angle` (P, A) how far
    it is turned to each side. `spiral` brings one edge nearer to the axis than the other, so that petals can
    overlap all the way round; `droop` lowers the corners and `ripple` waves the rim.
    """
    t = along(distance.shape[1])[None, :, None]
    s = across(nodes_across)[None, None, :]
    turn = column(azimuth) + floats(half_angle)[:, :, None] * s
    waves = column(ripple) * np.sin(5.0 * s + column(1.7 * np.arange(len(azimuth)))) * t**3
    radius = floats(distance)[:, :, None] * (1.0 + column(spiral) * s + waves)
    z = floats(height)[:, :, None] - column(droop) * s * s * t + 0.5 * waves
    return np.stack(np.broadcast_arrays(radius * np.cos(turn), radius * np.sin(turn), z), axis=-1)


def tubes(path: Floats, radius: Floats, nodes_across: int = 5) -> Floats:
    """Points (P, A, B, 3) of the half of round stems that faces the viewer, from paths (P, A, 3), radii (P, A)."""
    ahead = np.gradient(path, axis=1)[..., :2]
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True) + 1e-6
    side = np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1)[:, :, None, :]  # (P, A, 1, 2)
    s = across(nodes_across)[:, None]
    towards = np.broadcast_to(np.sqrt(1.0 - s * s), (*path.shape[:2], nodes_across, 1))
    rim = np.concatenate([side * s, towards], axis=-1)  # a half circle of radius 1 around each node
    return floats(path[:, :, None, :] + radius[:, :, None, None] * rim)
