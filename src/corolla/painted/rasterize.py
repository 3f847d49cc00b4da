"""Renders 3D sheets to an image with a depth buffer, without a loop over pixels.

The image plane is x to the right, y down and z towards the viewer, the shorter side of the image being 1.
Lighting is computed on the coarse nodes of the sheets; the nodes are then interpolated to points about as close as the
pixels of a twice larger buffer, and in each pixel the nearest point wins.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.painted.light import Light, lit, shadows
from corolla.painted.surfaces import Floats, Relief, Sheets, across, along, floats

SUPERSAMPLE = 2
DEPTHS = 1 << 22  # depth levels, 64 per pixel
BATCH = 20_000  # points at a time: they stay in the processor's cache
LADDER = 1.3  # ratio between successive numbers of points along a sheet
HOLE = 3 * 64  # depth levels behind its neighbors that make a pixel a hole
SPACING = 1.0  # pixels between points; `close` fills the holes of unevenly stretched sheets


def render(
    layer: Sequence[Sequence[Sheets]], size: tuple[int, int], light: Light, finer: int = SUPERSAMPLE
) -> Image.Image:
    """Draw plants on a transparent background: a premultiplied `RGBa` image of `size` = (width, height) pixels.

    A layer is a list of plants, a plant a list of sheets that throw shadows on each other. The buffer is
    `finer` times larger than the image.
    """
    width, height = size[0] * finer, size[1] * finer
    nearest = np.zeros((height, width), np.int64)
    for plant in layer:
        for sheets, shade in zip(plant, shadows(plant, light), strict=True):
            splat(nearest, sheets, lit(sheets, light, shade))
    close(nearest)
    pixels = (nearest & 0xFFFFFF) | np.where(nearest > 0, 0xFF000000, 0)
    image = Image.frombytes("RGBa", (width, height), pixels.astype("<u4").tobytes())
    return image.reduce(finer) if finer > 1 else image


def splat(nearest: NDArray[np.int64], sheets: Sheets, colors: Floats) -> None:
    """Draw the points of sheets into the depth buffer `nearest` (height, width).

    A pixel holds depth, blue, green and red of its nearest point in one integer; the larger integer is the nearer
    point and `maximum` is enough.
    """
    height, width = nearest.shape
    unit = np.float32(min(width, height))
    count = len(colors)
    channels = np.empty((6, *colors.shape[:3]), np.float32)
    np.multiply(sheets.points.transpose(3, 0, 1, 2), unit, out=channels[:3])
    np.multiply(colors.transpose(3, 0, 1, 2), np.float32(255.0), out=channels[3:])
    flat = channels[:2]
    low, high = flat.reshape(2, count, -1).min(axis=2), flat.reshape(2, count, -1).max(axis=2)
    seen = (high[0] >= 0) & (high[1] >= 0) & (low[0] < width) & (low[1] < height)
    whole = bool(low.min() >= 0 and high[0].max() < width and high[1].max() < height)
    rows = steps(flat[:, :, 1:] - flat[:, :, :-1], np.diff(along(flat.shape[2])))
    columns = steps((flat[..., 1:] - flat[..., :-1]).swapaxes(2, 3), 0.5 * np.diff(across(flat.shape[3])))
    for group, down, over in batches(rows, columns, np.flatnonzero(seen)):
        points = refine(channels[:, group], down, over)
        pattern, keep = (None, None) if sheets.relief is None else carved(sheets.relief, down, over)
        if not whole:
            inside = (points[0] >= 0) & (points[1] >= 0) & (points[0] < width) & (points[1] < height)
            keep = inside if keep is None else inside & keep
        pixel = points[1].astype(np.intp)
        pixel *= width
        pixel += points[0].astype(np.intp)
        ranked = (points[2] * np.float32(64.0) + np.float32(DEPTHS // 2)).astype(np.int64)
        for channel in points[:2:-1]:  # blue, green, red
            if pattern is not None:
                channel *= pattern
            ranked <<= 8
            ranked |= np.minimum(channel, np.float32(255.0)).astype(np.int64)
        if keep is not None:
            ranked *= keep
            pixel *= keep
        np.maximum.at(nearest.reshape(-1), pixel.reshape(-1), ranked.reshape(-1))


def close(nearest: NDArray[np.int64]) -> None:
    """Fill holes one pixel wide: a pixel much farther than its neighbors on both sides takes the farther of them."""
    step = np.int64(HOLE << 24)
    for beside, middle in ((nearest, nearest[:, 1:-1]), (nearest.T, nearest.T[:, 1:-1])):
        np.maximum(middle, np.minimum(beside[:, :-2], beside[:, 2:]) - step, out=middle)


def batches(
    rows: NDArray[np.intp], columns: NDArray[np.intp], seen: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], int, int]]:
    """Groups of sheets with the numbers of points along and across that are enough for the whole group.

    Sheets of similar size form a group, so that the largest does not decide for all; a batch has few points.
    """
    if len(seen) and len(seen) * rows[seen].max() * columns[seen].max() <= BATCH:
        yield seen, int(rows[seen].max()), int(columns[seen].max())
        return
    sizes = rows * 65536 + columns
    for size in np.unique(sizes[seen]):
        group = seen[sizes[seen] == size]
        down, over = divmod(int(size), 65536)
        share = max(BATCH // (down * over), 1)
        for start in range(0, len(group), share):
            yield group[start : start + share], down, over


def refine(channels: Floats, rows: int, columns: int) -> Floats:
    """Nodes (6, P, A, B) interpolated to points (6, P, rows, columns)."""
    _, _, a, b = channels.shape
    down, over = interpolation(a, rows, along), interpolation(b, columns, across)
    return floats(np.matmul(down, channels @ over.T))


def steps(edges: Floats, gaps: Floats) -> NDArray[np.intp]:
    """How many points a line of nodes needs on each sheet, (P,), from edges (2, P, E, L): E along each of L lines.

    Points are even in `t` and `s`, the edges being `gaps` (E,) of their range; the longest line decides. The
    counts are rounded up to a geometric series, so that sheets of similar size have equal counts.
    """
    squares = (edges[0] * edges[0] + edges[1] * edges[1]) / gaps[:, None]
    stretch = np.sqrt(squares.sum(axis=1).max(axis=1))  # root mean square over `t`: stretched parts weigh more
    rung = np.ceil(np.log(np.maximum(stretch / SPACING, 1.0)) / np.log(LADDER))
    return np.asarray(np.minimum(np.ceil(LADDER**rung), 8192.0), np.intp)


@lru_cache(maxsize=256)
def carved(relief: Relief, rows: int, columns: int) -> tuple[Floats, NDArray[np.bool_] | None]:
    """A relief at `rows` x `columns` points, and the mask of points that it does not cut away, None if all remain."""
    t, s = middles(0.0, 1.0, rows)[:, None], middles(-1.0, 1.0, columns)[None, :]
    pattern = floats(relief(t, s))
    return pattern, None if pattern.all() else pattern > 0


@lru_cache(maxsize=512)
def interpolation(nodes: int, points: int, places: Callable[[int], Floats]) -> Floats:
    """The (points, nodes) matrix of linear interpolation from nodes at `places` to evenly spaced points."""
    at = places(nodes)
    place = np.interp(middles(float(at[0]), float(at[-1]), points), at, np.arange(nodes))
    return floats(np.maximum(1.0 - np.abs(place[:, None] - np.arange(nodes)[None, :]), 0.0))


def middles(low: float, high: float, count: int) -> Floats:
    """`count` numbers from `low` to `high`, both included; a single one is in the middle."""
    return floats(np.linspace(low, high, count) if count > 1 else [0.5 * (low + high)])
