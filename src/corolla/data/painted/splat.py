"""From sheets in space to a picture: light, shadow and a depth buffer, all in array operations.

The image plane is x to the right, y down and z towards the viewer, the shorter side of the picture being 1.
Light is computed on the coarse nodes; nodes are then interpolated to points closer together than the pixels
of a twice larger buffer, and in each pixel the nearest point wins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.data.painted.sheets import Floats, Sheets, cross

SUPERSAMPLE = 2
DEPTHS = 1 << 22  # depth levels, 64 a pixel
BATCH = 12_000  # points at a time: they stay in the processor's cache
LADDER = 1.3
SPACING = 0.82  # of the interpolated points, in pixels of the buffer; wider leaves holes in bent sheets


@dataclass(frozen=True)
class Light:
    """A sun and a sky: `towards` is the unit vector (3,) to the sun, the colours (3,) scale what they light."""

    towards: Floats
    sun: Floats
    sky: Floats
    shadow: float = 0.6  # how much of the sun a petal takes from those below it


def render(
    layer: Sequence[Sequence[Sheets]], size: tuple[int, int], light: Light, finer: int = SUPERSAMPLE
) -> Image.Image:
    """Paint plants on nothing: a premultiplied `RGBa` picture of `size` = (width, height) pixels.

    A layer is a list of plants, a plant a list of sheets that throw shadows on each other. The buffer is
    `finer` times larger than the picture.
    """
    width, height = size[0] * finer, size[1] * finer
    nearest = np.zeros((height, width), np.int64)
    for plant in layer:
        for sheets, shade in zip(plant, shadows(plant, light), strict=True):
            splat(nearest, sheets, lit(sheets, light, shade))
    pixels = (nearest & 0xFFFFFF) | np.where(nearest > 0, 0xFF000000, 0)
    picture = Image.frombytes("RGBa", (width, height), pixels.astype("<u4").tobytes())
    return picture.reduce(finer) if finer > 1 else picture


def normals(points: Floats) -> Floats:
    """Unit normals (P, A, B, 3) of sheets of points of the same shape, on the side that the viewer sees."""
    down, over = np.empty_like(points), np.empty_like(points)
    np.subtract(points[:, 2:], points[:, :-2], out=down[:, 1:-1])
    np.subtract(points[:, 1], points[:, 0], out=down[:, 0])
    np.subtract(points[:, -1], points[:, -2], out=down[:, -1])
    np.subtract(points[:, :, 2:], points[:, :, :-2], out=over[:, :, 1:-1])
    np.subtract(points[:, :, 1], points[:, :, 0], out=over[:, :, 0])
    np.subtract(points[:, :, -1], points[:, :, -2], out=over[:, :, -1])
    normal = cross(down, over)
    normal /= np.copysign(np.sqrt(np.einsum("...i,...i", normal, normal)) + 1e-9, normal[..., 2])[..., None]
    return normal


def lit(sheets: Sheets, light: Light, shade: Floats) -> Floats:
    """The colours (P, A, B, 3) of sheets under a light, `shade` (P, A, B) of the sun being taken away."""
    normal = normals(sheets.points)
    facing = normal @ light.towards
    front = np.clip((facing + 0.25) / 1.25, 0.0, None)
    through = sheets.sheer * np.clip(-facing, 0.0, None)  # a backlit petal glows
    sun = (front + through) * (1.0 - shade)
    up = 0.75 - 0.25 * normal[..., 1]  # the sky is above, and y points down
    colour = sheets.colours * (sun[..., None] * light.sun + up[..., None] * light.sky)
    if sheets.gloss:
        half = light.towards + np.array([0.0, 0.0, 1.0], np.float32)
        shine = np.clip(normal @ (half / np.linalg.norm(half)), 0.0, 1.0) ** 18 * (1.0 - shade)
        colour = colour + (sheets.gloss * shine)[..., None] * light.sun
    return colour.astype(np.float32)


def shadows(plant: Sequence[Sheets], light: Light, cells: int = 44) -> list[Floats]:
    """How much of the sun each node misses, (P, A, B) per batch, by a coarse depth buffer seen from the sun."""
    nodes = np.concatenate([sheets.points.reshape(-1, 3) for sheets in plant])
    aside = cross(light.towards, np.array([0.31, 0.95, 0.05], np.float32))
    aside /= np.linalg.norm(aside)
    plane = np.stack([aside, cross(light.towards, aside)], axis=1)
    flat = nodes @ plane
    flat -= flat.min(axis=0)
    reach = float(flat.max()) + 1e-6
    cell = (flat * ((cells - 1) / reach)).astype(np.intp)
    index = cell[:, 0] * cells + cell[:, 1]
    depth = nodes @ light.towards
    nearest = np.full(cells * cells, -np.inf, np.float32)
    np.maximum.at(nearest, index, depth)
    soft = 1.5 * reach / cells
    shade = np.clip((nearest[index] - depth - 0.5 * soft) / (2.0 * soft), 0.0, 1.0) * light.shadow
    ends = np.cumsum([sheets.points[..., 0].size for sheets in plant])[:-1]
    return [part.reshape(s.points.shape[:3]) for s, part in zip(plant, np.split(shade, ends), strict=True)]


def splat(nearest: NDArray[np.int64], sheets: Sheets, colours: Floats) -> None:
    """Let the points of sheets compete for the pixels of `nearest` (height, width).

    A pixel holds depth, blue, green and red of its winner in one number, so that the larger number is the nearer
    point and `maximum` is all that is needed.
    """
    height, width = nearest.shape
    unit = np.float32(min(width, height))
    nodes = np.concatenate([sheets.points * unit, colours * np.float32(255.0)], axis=-1)  # (P, A, B, 6)
    channels = np.ascontiguousarray(nodes.transpose(3, 0, 1, 2))  # (6, P, A, B)
    x, y = channels[0].reshape(len(nodes), -1), channels[1].reshape(len(nodes), -1)
    seen = (x.max(1) >= 0) & (y.max(1) >= 0) & (x.min(1) < width) & (y.min(1) < height)
    whole = bool(x.min() >= 0 and y.min() >= 0 and x.max() < width and y.max() < height)
    rows = steps(np.diff(nodes[..., :2], axis=1), axis=1)
    columns = steps(np.diff(nodes[..., :2], axis=2), axis=2)
    for group, down, over in batches(rows, columns, np.flatnonzero(seen)):
        points = refine(channels[:, group], down, over)
        pattern = None if sheets.relief is None else sheets.relief(*places(down, over))
        keep = None if pattern is None or pattern.all() else pattern > 0
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


def batches(
    rows: NDArray[np.intp], columns: NDArray[np.intp], seen: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], int, int]]:
    """Groups of sheets with the numbers of points along and across that do for all of a group.

    Sheets of about one size go together, so that the largest does not decide for all, and few points at a time.
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
    return np.matmul(interpolation(a, rows), channels @ interpolation(b, columns).T)


def steps(edges: Floats, axis: int) -> NDArray[np.intp]:
    """How many points cover the longest line of nodes of each sheet, (P,), from edges (P, A, B, 2) between nodes.

    The counts are rungs of a ladder, so that sheets of about one size come out alike.
    """
    length = np.sqrt(np.einsum("...i,...i", edges, edges)).sum(axis=axis).max(axis=1) / SPACING
    rung = np.ceil(np.log(np.maximum(length, 1.0)) * (1.0 / np.log(LADDER)))
    return np.minimum(np.ceil(LADDER**rung), 8192).astype(np.intp)


@lru_cache(maxsize=4096)
def places(rows: int, columns: int) -> tuple[Floats, Floats]:
    """The `t` (rows, 1) and `s` (1, columns) of interpolated points, for reliefs."""
    t = (
        np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
        if rows > 1
        else np.full((1, 1), 0.5, np.float32)
    )
    s = (
        np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None, :]
        if columns > 1
        else np.zeros((1, 1), np.float32)
    )
    return t, s


@lru_cache(maxsize=512)
def interpolation(nodes: int, points: int) -> Floats:
    """The (points, nodes) matrix that draws lines through nodes; a single point is their middle."""
    if points == 1:
        return np.full((1, nodes), 1.0 / nodes, np.float32)
    place = np.linspace(0.0, nodes - 1.0, points)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(nodes)[None, :]), 0.0, None).astype(np.float32)
