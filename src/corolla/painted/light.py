"""Lighting: sun and sky, shadows between petals, and light that shines through petals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corolla.painted.surfaces import Floats, Sheets, cross, floats


@dataclass(frozen=True)
class Light:
    """A sun and a sky: `towards` is the unit vector (3,) to the sun; the colors (3,) scale the lit surfaces."""

    towards: Floats
    sun: Floats
    sky: Floats
    shadow: float  # the fraction of sunlight that a petal blocks


# probability, height of the sun in radians, colors of sun and sky, depth of shadows
WEATHER = (
    (0.32, 0.75, (0.84, 0.80, 0.74), (0.41, 0.44, 0.49), 0.55),  # noon
    (0.20, 0.50, (0.92, 0.74, 0.55), (0.45, 0.44, 0.47), 0.50),  # a low sun
    (0.28, 1.20, (0.46, 0.46, 0.46), (0.65, 0.66, 0.68), 0.30),  # overcast
    (0.12, 1.10, (0.38, 0.39, 0.42), (0.52, 0.55, 0.60), 0.30),  # open shade
    (0.08, -0.2, (1.00, 0.88, 0.72), (0.65, 0.65, 0.68), 0.30),  # the sun behind the flowers
)


def daylight(rng: np.random.Generator) -> Light:
    """The light of a random weather, from the left, from above or from the right."""
    _, height, sun, sky, shadow = WEATHER[rng.choice(len(WEATHER), p=[row[0] for row in WEATHER])]
    azimuth = rng.uniform(0.0, np.pi)
    flat = np.cos(height)
    towards = floats([np.cos(azimuth) * flat, -np.sin(azimuth) * flat, np.sin(height)])  # y points down
    return Light(towards, floats(sun), floats(sky), shadow)


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
    length = np.sqrt(np.einsum("...i,...i", normal, normal)) + np.float32(1e-9)
    normal /= np.copysign(length, normal[..., 2])[..., None]
    return normal


def lit(sheets: Sheets, light: Light, shade: Floats) -> Floats:
    """The colors (P, A, B, 3) of sheets under a light, without the fraction `shade` (P, A, B) of the sun."""
    normal = normals(sheets.points)
    facing = normal @ light.towards
    front = np.maximum((facing + 0.25) / 1.25, 0.0)  # light wraps around thin, rough petals
    through = sheets.sheer * np.maximum(-facing, 0.0)
    sun = (front + through) * (1.0 - shade)
    up = 0.75 - 0.25 * normal[..., 1]
    colors = sheets.colors * (sun[..., None] * light.sun + up[..., None] * light.sky)
    if sheets.gloss:
        half = light.towards + floats([0.0, 0.0, 1.0])
        shine = np.maximum(normal @ (half / np.linalg.norm(half)), 0.0) ** 18 * (1.0 - shade)
        colors += (sheets.gloss * shine)[..., None] * light.sun
    return colors


def shadows(plant: Sequence[Sheets], light: Light, cells: int = 44) -> list[Floats]:
    """The fraction of the sun that each node lacks, (P, A, B) per batch, by a coarse depth buffer seen from the sun."""
    nodes = np.concatenate([sheets.points.reshape(-1, 3) for sheets in plant])
    aside = cross(light.towards, floats([0.31, 0.95, 0.05]))
    aside /= np.linalg.norm(aside)
    flat = nodes @ np.stack([aside, cross(light.towards, aside)], axis=1)
    flat -= flat.min(axis=0)
    reach = float(flat.max()) + 1e-6
    cell = (flat * ((cells - 1) / reach)).astype(np.intp)
    index = cell[:, 0] * cells + cell[:, 1]
    depth = nodes @ light.towards
    nearest = np.full(cells * cells, -np.inf, np.float32)
    np.maximum.at(nearest, index, depth)
    soft = reach / cells
    shade = np.clip((nearest[index] - depth - 0.75 * soft) / (3.0 * soft), 0.0, 1.0) * light.shadow
    ends = np.cumsum([sheets.points[..., 0].size for sheets in plant])[:-1]
    return [part.reshape(s.points.shape[:3]) for s, part in zip(plant, np.split(shade, ends), strict=True)]
