"""The background of the flowers: sky, meadow, soil, lawn, lights out of focus, a wall, boards, plain paper."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from corolla.painted.surfaces import Floats, blend, floats

Size = tuple[int, int]
BICUBIC = Image.Resampling.BICUBIC


def backdrop(rng: np.random.Generator, size: Size) -> tuple[Image.Image, bool]:
    """An RGB image of `size` = (width, height), and whether it is a surface that shadows fall on."""
    chances = np.array([chance for _, chance, _ in BACKDROPS])
    paint, _, surface = BACKDROPS[rng.choice(len(BACKDROPS), p=chances / chances.sum())]
    colors = paint(rng, size)
    return Image.fromarray((np.clip(colors, 0.0, 1.0) * 255.0).astype(np.uint8)), surface


def noise(rng: np.random.Generator, size: Size, cells: float, octaves: int = 1) -> Floats:
    """Smooth noise (height, width) of mean 0 and spread about 1, `cells` lumps along the shorter side."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        lumps = cells * 2**octave / min(size)
        total += 0.6**octave * smooth(rng, (max(int(size[0] * lumps), 2), max(int(size[1] * lumps), 2)), size)
    return total


def smooth(rng: np.random.Generator, grid: Size, size: Size) -> Floats:
    """Random numbers on a `grid` = (columns, rows), interpolated to (height, width) of `size`."""
    coarse = Image.fromarray(rng.standard_normal(grid[::-1], dtype=np.float32))
    return np.asarray(coarse.resize(size, BICUBIC))


def ramp(size: Size) -> Floats:
    """0 at the top to 1 at the bottom, (height, width)."""
    return np.broadcast_to(floats(np.linspace(0.0, 1.0, size[1]))[:, None], (size[1], size[0]))


def sky(rng: np.random.Generator, size: Size) -> Floats:
    """Clear, cloudy, gray or evening sky."""
    pairs = (
        ((0.25, 0.48, 0.82), (0.72, 0.85, 0.96)),
        ((0.62, 0.68, 0.74), (0.86, 0.88, 0.90)),
        ((0.36, 0.36, 0.62), (0.98, 0.66, 0.45)),
        ((0.70, 0.55, 0.70), (1.00, 0.85, 0.60)),
        ((0.16, 0.24, 0.45), (0.50, 0.60, 0.75)),
    )
    top, bottom = pairs[rng.integers(len(pairs))]
    clouds = np.clip(0.5 * noise(rng, size, rng.uniform(1.5, 4.0), 3) + rng.uniform(-0.5, 0.4), 0.0, 1.0)
    return blend(blend(top, bottom, ramp(size)), (0.97, 0.96, 0.95), 0.8 * clouds)


def meadow(rng: np.random.Generator, size: Size) -> Floats:
    """Green or dry fields out of focus, sometimes with a horizon."""
    near = np.array([0.26, 0.4, 0.13]) * rng.uniform(0.5, 1.4)
    far = np.array([rng.uniform(0.35, 0.75), rng.uniform(0.5, 0.7), 0.3]) * rng.uniform(0.7, 1.1)
    colors = blend(far, near, np.clip(ramp(size) + 0.25 * noise(rng, size, 4.0, 2), 0.0, 1.0))
    if rng.random() < 0.4:
        horizon = rng.uniform(0.1, 0.5) + 0.03 * noise(rng, size, 3.0)
        above = np.clip((horizon - ramp(size)) * 14.0, 0.0, 1.0)
        colors = blend(colors, np.array([0.75, 0.84, 0.93]) * rng.uniform(0.75, 1.05), above)
    return colors * (1.0 + 0.12 * noise(rng, size, 9.0))[..., None]


def soil(rng: np.random.Generator, size: Size) -> Floats:
    """Earth, sand or bark."""
    tones = floats([[0.32, 0.22, 0.14], [0.55, 0.45, 0.32], [0.22, 0.17, 0.13], [0.45, 0.3, 0.2]])
    grain = 0.3 * noise(rng, size, rng.uniform(6.0, 14.0), 3)
    return floats(tones[rng.integers(len(tones))] * rng.uniform(0.7, 1.2) * (1.0 + grain)[..., None])


def lawn(rng: np.random.Generator, size: Size) -> Floats:
    """Short grass from above: noise combed in one direction."""
    base = np.array([0.27, 0.42, 0.13]) * rng.uniform(0.6, 1.25)
    fine = 45.0 / min(size)
    combed = smooth(rng, (max(int(size[0] * fine), 2), max(int(size[1] * fine / 4), 2)), size)
    return base * (1.0 + 0.28 * combed + 0.15 * noise(rng, size, 5.0))[..., None]


def bokeh(rng: np.random.Generator, size: Size) -> Floats:
    """Discs of light out of focus over a dark or green ground."""
    low, high = rng.uniform(0.03, 0.4, 3) * [0.9, 1.1, 0.8], rng.uniform(0.1, 0.6, 3)
    ground = blend(low, high, np.clip(ramp(size) + 0.2 * noise(rng, size, 3.0), 0.0, 1.0))
    image, unit = Image.fromarray((ground * 255.0).astype(np.uint8)), min(size)
    brush = ImageDraw.Draw(image, "RGBA")
    for _ in range(int(rng.integers(8, 22))):
        radius = unit * rng.uniform(0.03, 0.13)
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        color = np.clip(high * 0.6 + rng.uniform(0.1, 0.75, 3) + rng.uniform(0.0, 0.25), 0.0, 1.0)
        red, green, blue = (int(255 * value) for value in color)
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), (red, green, blue, int(rng.uniform(40, 130))))
    soft = image.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.004, 0.02)))
    return floats(np.asarray(soft)) / np.float32(255.0)


def wall(rng: np.random.Generator, size: Size) -> Floats:
    """Bricks, or plaster in some color."""
    tones = floats([[0.6, 0.33, 0.25], [0.8, 0.76, 0.68], [0.72, 0.6, 0.42], [0.5, 0.52, 0.55], [0.85, 0.65, 0.6]])
    base = tones[rng.integers(len(tones))] * rng.uniform(0.6, 1.1)
    colors = base * (1.0 + 0.06 * noise(rng, size, 20.0, 2) + 0.05 * noise(rng, size, 2.0))[..., None]
    if rng.random() < 0.4:
        return floats(colors)
    course = min(size) * rng.uniform(0.08, 0.2)
    y, x = np.arange(size[1])[:, None] / course, np.arange(size[0])[None, :] / (2.4 * course)
    row = np.floor(y)
    x = x + 0.5 * (row % 2)
    joint = (np.mod(y, 1.0) < 0.12) | (np.mod(x, 1.0) < 0.05)
    brick = rng.uniform(0.8, 1.2, 977)[((row * 31 + np.floor(x) * 7) % 977).astype(int)]
    return floats(np.where(joint[..., None], base * rng.uniform(0.6, 1.5), colors * brick[..., None]))


def boards(rng: np.random.Generator, size: Size) -> Floats:
    """The boards of a fence or a table."""
    tones = floats([[0.5, 0.36, 0.22], [0.62, 0.58, 0.52], [0.82, 0.8, 0.76], [0.3, 0.4, 0.45]])
    upright = rng.random() < 0.5
    long, wide = size[::-1] if upright else size
    board = np.arange(wide) / (min(size) * rng.uniform(0.14, 0.3))
    tone = rng.uniform(0.8, 1.15, 64)[board.astype(int) % 64] * np.where(np.mod(board, 1.0) < 0.05, 0.45, 1.0)
    lines = int(160 * wide / min(size))
    value = tone[:, None] * (1.0 + 0.1 * smooth(rng, (4, lines), (long, wide)))
    return floats(tones[rng.integers(len(tones))] * (value.T if upright else value)[..., None])


def paper(rng: np.random.Generator, size: Size) -> Floats:
    """A plain backdrop of any color, lit from one side."""
    base = rng.uniform(0.1, 0.95) + rng.normal(0.0, 0.12, 3)
    glow = rng.uniform(-0.3, 0.3) * ramp(size) + 0.05 * noise(rng, size, 1.5)
    return base * (1.0 + glow)[..., None]


# the painter, its probability, and whether shadows fall on it
BACKDROPS: tuple[tuple[Callable[[np.random.Generator, Size], Floats], float, bool], ...] = (
    (sky, 1.5, False),
    (meadow, 2.5, False),
    (soil, 1.2, True),
    (lawn, 1.2, True),
    (bokeh, 1.6, False),
    (wall, 1.2, True),
    (boards, 0.8, True),
    (paper, 0.8, True),
)
