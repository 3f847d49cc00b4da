"""Composes one image: flowers of one kind in random positions and light, with a background and occlusions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from corolla.painted.backdrop import backdrop
from corolla.painted.camera import cast, develop, paste
from corolla.painted.flowers.head import PIGMENTS, Head
from corolla.painted.greenery import curve, grass, stem, stray
from corolla.painted.insects import visitor
from corolla.painted.light import daylight
from corolla.painted.rasterize import render
from corolla.painted.surfaces import Floats, Sheets, cross, floats, spokes, straps

# From an RNG for the shape and one for the colors, so that flowers of one variety can share the second.
Painter = Callable[[np.random.Generator, np.random.Generator], Head]
Plant = list[Sheets]
Frame = tuple[float, float]  # width and height of the image, the shorter being 1


@dataclass(frozen=True)
class Spot:
    """The position of a flower's head: its center, its radius and its depth, in units of the shorter side."""

    x: float
    y: float
    radius: float
    z: float


def compose(painter: Painter, rng: np.random.Generator, size: int) -> Image.Image:
    """Paint a scene whose longer side is `size` pixels."""
    short = round(size * rng.uniform(0.75, 1.0))
    pixels = (size, short) if rng.random() < 0.5 else (short, size)
    frame = (pixels[0] / short, pixels[1] / short)
    light = daylight(rng)
    spots = places(rng, frame)
    far, middle, near = behind(rng, frame), flowers(painter, rng, spots, frame), before(rng, frame, spots)
    far_blur, near_blur = rng.uniform(0.008, 0.045), rng.uniform(0.0, 0.022)
    ground, camera = rng.spawn(2)  # the number of their random values depends on the size; the scene must not

    image, surface = backdrop(ground, pixels)
    if far:
        paste(image, render(far, pixels, light, finer=1), blur=far_blur * short)
    sharp = render(middle, pixels, light)
    if surface:
        cast(image, sharp, light, camera)
    paste(image, sharp)
    if near:
        paste(image, render(near, pixels, light, finer=1), blur=near_blur * short)
    return develop(image, camera)


def places(rng: np.random.Generator, frame: Frame) -> list[Spot]:
    """One to seven spots, the first the largest, that do not hide each other."""
    count = int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.5, 0.18, 0.14, 0.08, 0.06, 0.04]))
    largest = rng.uniform(0.24, 0.47) if count == 1 else rng.uniform(0.2, 0.5 / count**0.33)
    spots: list[Spot] = []
    for _ in range(40):
        radius = largest * (rng.uniform(0.55, 1.0) if spots else 1.0)
        edge = 0.75 * radius
        x, y = rng.uniform(edge, frame[0] - edge), rng.uniform(edge, frame[1] - edge)
        if all(np.hypot(x - s.x, y - s.y) > 0.75 * (radius + s.radius) for s in spots):
            spots.append(Spot(x, y, radius, -1.2 * len(spots) * largest))
        if len(spots) == count:
            break
    return spots


def flowers(painter: Painter, rng: np.random.Generator, spots: list[Spot], frame: Frame) -> list[Plant]:
    """A flower in every spot, of one or two varieties, sometimes in grass."""
    plants: list[Plant] = []
    dyes = rng.integers(2**32, size=2)
    varieties = 2 if rng.random() < 0.35 else 1
    for spot in spots:
        dye = np.random.default_rng(dyes[rng.integers(varieties)])
        plants += flower(painter(rng, dye), rng, spot, frame)
    if rng.random() < 0.3:
        depth = 0.6 if rng.random() < 0.5 else -0.7  # in front of or behind the heads, not through them
        plants.append([grass(rng, int(rng.integers(6, 30)), frame, rng.uniform(0.3, 0.8), depth)])
    return plants


def flower(head: Head, rng: np.random.Generator, spot: Spot, frame: Frame) -> list[Plant]:
    """A head in its spot and the stem and leaves that carry it."""
    nod = float(rng.triangular(*head.nods))
    rotation = pose(rng, nod)
    flat = np.concatenate([sheets.points.reshape(-1, 3) for sheets in head.sheets]) @ floats(rotation[:2].T)
    low, high = flat.min(axis=0), flat.max(axis=0)
    # Every kind fills its spot equally, so that size and position do not reveal the kind.
    breadth = 0.5 * float(np.max(high - low) + np.sqrt(np.prod(high - low)))
    scale = 2.0 * spot.radius / breadth
    center = np.append(0.5 * (low + high) * scale, 0.0)
    offset = np.array([spot.x, spot.y, spot.z]) - center
    plant = [sheets.moved(rotation, scale, offset) for sheets in head.sheets]

    axis = rotation[:, 2]
    top = offset + axis * (head.foot * scale)
    if nod < 0.5 and rng.random() < 0.5:  # seen from above: the head hides its stem
        way = np.array([*rng.normal(0.0, 0.2 * scale, 2), -0.8])
    else:
        way = np.array([rng.normal(0.0, 0.12), max(frame[1] + 0.12 - top[1], 0.2), -0.9 * np.cos(nod)])
    path = curve(top, top - axis * (0.9 * scale), top + way)
    green = [stem(rng, path, head.neck * scale)]
    if rng.random() < 0.65:
        green += head.foliage(rng, path, scale)
    if rng.random() < 0.07:
        seat = offset + rotation @ np.append(rng.uniform(-0.5, 0.5, 2), 0.0) * scale + [0.0, 0.0, 0.55 * scale]
        turn, guest_size = pose(rng, rng.uniform(0.0, 0.7)), rng.uniform(0.16, 0.24) * spot.radius
        green += [sheets.moved(turn, guest_size, seat) for sheets in visitor(rng)]
    return [plant, green]


def pose(rng: np.random.Generator, nod: float) -> Floats:
    """A rotation (3, 3) of a head by `nod` away from the viewer, mostly upwards, and by any spin around itself."""
    lean = -0.5 * np.pi + rng.normal(0.0, 0.9 if nod < 0.7 else 0.4)
    axis = np.array([np.sin(nod) * np.cos(lean), np.sin(nod) * np.sin(lean), np.cos(nod)])
    first = cross(np.array([0.1, 0.2, 1.0] if nod > 0.8 else [0.0, 1.0, 0.2]), axis)
    first /= np.linalg.norm(first)
    spin = rng.uniform(0.0, 2 * np.pi)
    side = np.cos(spin) * first + np.sin(spin) * cross(axis, first)
    return np.stack([side, cross(axis, side), axis], axis=1)


def behind(rng: np.random.Generator, frame: Frame) -> list[Plant]:
    """Leaves, grass and distant flowers of any color, none of which reveals the kind."""
    far: list[Plant] = []
    if rng.random() < 0.5:
        middles = rng.uniform(0.0, 1.0, (int(rng.integers(4, 26)), 2)) * frame
        far.append([stray(rng, middles, rng.uniform(0.25, 0.6), -1.5)])
    if rng.random() < 0.35:
        far.append([grass(rng, int(rng.integers(15, 50)), frame, rng.uniform(0.4, 1.0), -1.3)])
    if rng.random() < 0.45:
        far.append([posies(rng, frame, -1.0)])
    return far


def posies(rng: np.random.Generator, frame: Frame, depth: float) -> Sheets:
    """Plain round flowers in one or two colors, to be seen out of focus."""
    count, petals = int(rng.integers(2, 9)), 6
    dyes = np.array(list(PIGMENTS.values()))[rng.integers(0, len(PIGMENTS), 2)]
    one = straps(spokes(petals), 1.0, 0.5, floats([0.5, 0.8, 1, 0.9, 0.5]), nodes_across=3, elevation=0.4)
    middles = np.column_stack([rng.uniform(0.0, 1.0, (count, 2)) * frame, np.full(count, depth)])
    size = rng.uniform(0.05, 0.17, (count, 1, 1, 1, 1))
    points = (one * size + middles[:, None, None, None, :]).reshape(-1, *one.shape[1:])
    return Sheets(points, np.repeat(dyes[rng.integers(0, 2, count)], petals, axis=0)[:, None, None, :])


def before(rng: np.random.Generator, frame: Frame, spots: list[Spot]) -> list[Plant]:
    """Occlusions of the flowers: leaves over a rim, blades of grass, a twig."""
    near: list[Plant] = []
    if rng.random() < 0.3:
        aims = [spots[index] for index in rng.integers(0, len(spots), int(rng.integers(1, 4)))]
        angle = rng.uniform(0.0, 2 * np.pi, len(aims))
        rim = 1.1 * np.array([aim.radius for aim in aims])
        middles = np.array([(aim.x, aim.y) for aim in aims]) + np.stack([rim * np.cos(angle), rim * np.sin(angle)], 1)
        near.append([stray(rng, middles, spots[0].radius * rng.uniform(0.8, 1.4), 1.0)])
    if rng.random() < 0.25:
        near.append([grass(rng, int(rng.integers(2, 9)), frame, rng.uniform(0.6, 1.3), 0.9)])
    if rng.random() < 0.08:
        start = np.array([-0.1, rng.uniform(0.0, frame[1]), 1.0])
        end = np.array([frame[0] + 0.1, rng.uniform(0.0, frame[1]), 1.0])
        bow = 0.5 * (start + end) + rng.normal(0.0, 0.15, 3)
        twig = stem(rng, curve(start, bow, end), rng.uniform(0.006, 0.02))
        near.append([Sheets(twig.points, floats([0.36, 0.27, 0.2]), sheer=0.0)])
    return near
