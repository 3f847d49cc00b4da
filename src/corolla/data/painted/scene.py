"""One picture: flowers of one kind somewhere, in some light, with things behind, beside and before them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from corolla.data.painted.backdrop import backdrop, ramp
from corolla.data.painted.flowers.head import PIGMENTS, Head
from corolla.data.painted.greenery import curve, foliage, grass, stem, stray
from corolla.data.painted.sheets import Floats, Sheets, cross, straps
from corolla.data.painted.splat import Light, render
from corolla.data.painted.visitors import visitor

Painter = Callable[[np.random.Generator], Head]
Plant = list[Sheets]


def compose(painter: Painter, rng: np.random.Generator, size: int) -> Image.Image:
    """Paint a scene whose longer side is `size` pixels."""
    short = int(round(size * rng.uniform(0.75, 1.0)))
    pixels = (size, short) if rng.random() < 0.5 else (short, size)
    unit = min(pixels)
    frame = (pixels[0] / unit, pixels[1] / unit)
    light = daylight(rng)

    spots = places(rng, frame)
    picture, surface = backdrop(rng, pixels)
    far = behind(rng, frame)
    near = before(rng, frame, spots)
    flowers = [plant for spot in spots for plant in flower(painter(rng), rng, spot, frame)]
    if rng.random() < 0.3:
        flowers.append(
            [grass(rng, int(rng.integers(6, 30)), frame, rng.uniform(0.3, 0.8), rng.uniform(-0.4, 0.3))]
        )

    if far:
        layer = render(far, pixels, light, finer=1)
        paste(picture, layer.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.008, 0.045))))
    sharp = render(flowers, pixels, light)
    if surface:
        cast(picture, sharp, light, rng)
    paste(picture, sharp)
    if near:
        layer = render(near, pixels, light, finer=1)
        paste(picture, layer.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.0, 0.022))))
    return develop(picture, rng)


@dataclass(frozen=True)
class Spot:
    """Where a flower's head is wanted: its middle, its radius and its depth, in units of the shorter side."""

    x: float
    y: float
    radius: float
    z: float


def places(rng: np.random.Generator, frame: tuple[float, float]) -> list[Spot]:
    """One to seven spots, the first the largest, that do not hide each other."""
    count = int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.48, 0.18, 0.13, 0.09, 0.07, 0.05]))
    largest = rng.uniform(0.17, 0.44) if count == 1 else rng.uniform(0.16, 0.5 / count**0.42)
    spots: list[Spot] = []
    for trial in range(40):
        radius = largest if not spots else largest * rng.uniform(0.55, 1.0)
        edge = 0.75 * radius
        x, y = rng.uniform(edge, frame[0] - edge), rng.uniform(edge, frame[1] - edge)
        if all(np.hypot(x - s.x, y - s.y) > 0.75 * (radius + s.radius) for s in spots):
            spots.append(Spot(x, y, radius, -1.2 * len(spots) * largest))
        if len(spots) == count:
            break
    return spots


def daylight(rng: np.random.Generator) -> Light:
    """Noon, low sun, overcast, shade, or sun from behind."""
    azimuth = rng.uniform(0.0, 2 * np.pi)
    kind = rng.choice(["noon", "low", "overcast", "shade", "behind"], p=[0.3, 0.2, 0.25, 0.13, 0.12])
    height, sun, sky, strength, shadow = {
        "noon": (0.9, (1.0, 0.97, 0.9), (0.85, 0.92, 1.05), (0.78, 0.36), 0.65),
        "low": (0.35, (1.1, 0.85, 0.6), (0.95, 0.92, 1.0), (0.78, 0.36), 0.6),
        "overcast": (1.2, (1.0, 1.0, 1.0), (0.97, 1.0, 1.04), (0.4, 0.58), 0.3),
        "shade": (1.1, (0.9, 0.95, 1.05), (0.9, 0.97, 1.1), (0.3, 0.42), 0.3),
        "behind": (-0.25, (1.1, 0.95, 0.75), (0.95, 0.97, 1.05), (0.9, 0.5), 0.4),
    }[str(kind)]
    towards = np.array(
        [np.cos(azimuth) * np.cos(height), -abs(np.sin(azimuth)) * np.cos(height), np.sin(height)]
    )
    if kind == "noon":
        towards = np.array([np.cos(azimuth) * 0.6, -0.62, 0.6])
    towards /= np.linalg.norm(towards)
    return Light(
        towards.astype(np.float32),
        np.float32(sun) * np.float32(strength[0]),
        np.float32(sky) * np.float32(strength[1]),
        shadow,
    )


def pose(rng: np.random.Generator, nod: float) -> Floats:
    """A rotation (3, 3) of a head by `nod` away from the viewer, mostly upwards, and by any spin around itself."""
    lean = -0.5 * np.pi + rng.normal(0.0, 0.9 if nod < 0.7 else 0.4)
    axis = np.array([np.sin(nod) * np.cos(lean), np.sin(nod) * np.sin(lean), np.cos(nod)])
    first = np.cross([0.1, 0.2, 1.0] if nod > 0.8 else [0.0, 1.0, 0.2], axis)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    spin = rng.uniform(0.0, 2 * np.pi)
    across_axis = np.cos(spin) * first + np.sin(spin) * second
    return np.stack([across_axis, np.cross(axis, across_axis), axis], axis=1).astype(np.float32)


def flower(head: Head, rng: np.random.Generator, spot: Spot, frame: tuple[float, float]) -> list[Plant]:
    """A head in its spot and the stem and leaves that carry it."""
    nod = float(rng.triangular(*head.nods))
    rotation = pose(rng, nod)
    posed = [sheets.moved(rotation, 1.0, (0.0, 0.0, 0.0)) for sheets in head.sheets]
    flat = np.concatenate([sheets.points[..., :2].reshape(-1, 2) for sheets in posed])
    low, high = flat.min(axis=0), flat.max(axis=0)
    # Every kind fills its spot alike, so that size and place tell nothing.
    scale = 2.0 * spot.radius / float(0.5 * np.max(high - low) + 0.5 * np.sqrt(np.prod(high - low)))
    middle = 0.5 * (low + high) * scale
    offset = np.array([spot.x - middle[0], spot.y - middle[1], spot.z], np.float32)
    identity = np.eye(3, dtype=np.float32)
    plant = [sheets.moved(identity, scale, offset) for sheets in posed]

    axis = rotation[:, 2]
    top = offset + axis * (head.foot * scale)
    down = frame[1] + 0.12 - top[1]
    bottom = top + np.array([rng.normal(0.0, 0.12), max(down, 0.2), -0.9 * np.cos(nod)])
    if nod < 0.5 and rng.random() < 0.5:  # seen from above: the stem goes away from the viewer
        bottom = top + np.array([rng.normal(0.0, 0.2), rng.normal(0.1, 0.2), -0.8])
    path = curve(top, top - axis * (0.9 * scale), bottom)
    green = [stem(rng, path, head.neck * scale)]
    if rng.random() < 0.65:
        green += foliage(rng, head.leaf, path, scale)
    if rng.random() < 0.07:
        guest = float(rng.uniform(0.16, 0.24)) * spot.radius
        where = (
            offset + (rotation @ np.append(rng.uniform(-0.5, 0.5, 2), 0.0)) * scale + [0.0, 0.0, 0.55 * scale]
        )
        turn = pose(rng, float(rng.uniform(0.0, 0.7)))
        green += [sheets.moved(turn, guest, where) for sheets in visitor(rng)]
    return [plant, green]


def behind(rng: np.random.Generator, frame: tuple[float, float]) -> list[Plant]:
    """Leaves, grass and other flowers far away, of any colour, none of them telling the kind."""
    far: list[Plant] = []
    if rng.random() < 0.5:
        count = int(rng.integers(4, 26))
        spots = list(zip(rng.uniform(0, frame[0], count), rng.uniform(0, frame[1], count), strict=True))
        far.append([stray(rng, spots, rng.uniform(0.25, 0.6), -1.5)])
    if rng.random() < 0.35:
        far.append([grass(rng, int(rng.integers(15, 50)), frame, rng.uniform(0.4, 1.0), -1.3)])
    if rng.random() < 0.45:
        far.append([blobs(rng, frame, -1.0)])
    return far


def blobs(rng: np.random.Generator, frame: tuple[float, float], depth: float) -> Sheets:
    """Plain round flowers, soon blurred, in one or two colours."""
    count = int(rng.integers(2, 9))
    names = list(PIGMENTS)
    picked = np.array([PIGMENTS[names[index]] for index in rng.integers(0, len(names), 2)], np.float32)
    azimuth = (np.arange(6) * (np.pi / 3)).astype(np.float32)
    one = straps(azimuth, 1.0, 0.5, np.float32([0.5, 0.8, 1, 0.9, 0.5]), nodes_across=3, elevation=0.4)
    size = rng.uniform(0.05, 0.17, (count, 1, 1, 1, 1)).astype(np.float32)
    where = np.stack(
        [rng.uniform(0, frame[0], count), rng.uniform(0, frame[1], count), np.full(count, depth)], axis=1
    )
    points = one[None] * size + where[:, None, None, None, :].astype(np.float32)
    colours = picked[rng.integers(0, 2, count)][:, None, None, None, :] * np.ones_like(points)
    return Sheets(points.reshape(-1, 5, 3, 3), colours.reshape(-1, 5, 3, 3))


def before(rng: np.random.Generator, frame: tuple[float, float], spots: list[Spot]) -> list[Plant]:
    """What hides a part of the flowers: leaves, blades of grass, a twig."""
    near: list[Plant] = []
    if rng.random() < 0.3:  # leaves that reach over the rim of a flower
        aims = [spots[int(index)] for index in rng.integers(0, len(spots), int(rng.integers(1, 4)))]
        angle = rng.uniform(0.0, 2 * np.pi, len(aims))
        around = [
            (a.x + 1.1 * a.radius * np.cos(g), a.y + 1.1 * a.radius * np.sin(g))
            for a, g in zip(aims, angle, strict=True)
        ]
        near.append([stray(rng, around, float(spots[0].radius * rng.uniform(0.8, 1.4)), 1.0)])
    if rng.random() < 0.25:
        near.append([grass(rng, int(rng.integers(2, 9)), frame, rng.uniform(0.6, 1.3), 0.9)])
    if rng.random() < 0.08:
        start = np.array([-0.1, rng.uniform(0.0, frame[1]), 1.0])
        end = np.array([frame[0] + 0.1, rng.uniform(0.0, frame[1]), 1.0])
        bow = 0.5 * (start + end) + rng.normal(0.0, 0.15, 3)
        twig = stem(rng, curve(start, bow, end), rng.uniform(0.006, 0.02))
        near.append(
            [Sheets(twig.points, np.float32([0.36, 0.27, 0.2]) * np.ones_like(twig.points), sheer=0.0)]
        )
    return near


def paste(picture: Image.Image, layer: Image.Image) -> None:
    """Lay a premultiplied layer over an RGB picture, in place."""
    layer = layer.convert("RGBA")
    picture.paste(layer, (0, 0), layer)


def cast(picture: Image.Image, layer: Image.Image, light: Light, rng: np.random.Generator) -> None:
    """Darken a surface where the plants keep the sun from it, in place."""
    unit = min(picture.size)
    distance = unit * rng.uniform(0.03, 0.2)
    shift = (int(-light.towards[0] * distance), int(-light.towards[1] * distance))
    mask = Image.new("L", picture.size)
    mask.paste(layer.getchannel("a"), shift)
    mask = mask.filter(ImageFilter.GaussianBlur(0.004 * unit + 0.15 * distance))
    strength = light.shadow * 0.75
    picture.paste(
        Image.new("RGB", picture.size, (12, 14, 20)), (0, 0), mask.point(lambda a: int(a * strength))
    )


def develop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """What the camera adds: focus, shake, exposure, white balance, contrast, vignette and grain."""
    unit = min(picture.size)
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.0, 0.009)))
    if rng.random() < 0.08:
        step = rng.normal(0.0, 0.008 * unit, 2)
        for factor in (0.5, 1.0):
            moved = picture.transform(
                picture.size,
                Image.Transform.AFFINE,
                (1, 0, factor * step[0], 0, 1, factor * step[1]),
                Image.Resampling.BILINEAR,
            )
            picture = Image.blend(picture, moved, 0.5)
    pixels = np.asarray(picture, np.float32)
    contrast = rng.uniform(0.8, 1.2)
    gains = rng.uniform(0.78, 1.25) * np.exp(rng.normal(0.0, 0.05, 3))
    grey = pixels.mean(axis=2, keepdims=True)
    colourful = rng.uniform(0.7, 1.15)
    pixels = (grey + (pixels - grey) * np.float32(colourful)) * gains.astype(np.float32)
    pixels = (pixels - 118.0) * np.float32(contrast) + 118.0
    if rng.random() < 0.4:
        y = ramp(picture.size)[..., None] - 0.5
        x = np.linspace(-0.5, 0.5, picture.size[0], dtype=np.float32)[None, :, None]
        pixels *= 1.0 - np.float32(rng.uniform(0.2, 0.9)) * (x * x + y * y)
    if rng.random() < 0.5:
        grain = rng.standard_normal((*picture.size[::-1], 1), dtype=np.float32)
        pixels += np.float32(rng.uniform(1.0, 9.0)) * grain
    return Image.fromarray(np.clip(pixels, 0.0, 255.0).astype(np.uint8))
