"""What lies behind the flowers: sky, meadow, soil, lawn, wall, planks, lights out of focus, plain paper."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from corolla.data.painted.sheets import Floats, blend

Size = tuple[int, int]


def backdrop(rng: np.random.Generator, size: Size) -> tuple[Image.Image, bool]:
    """An RGB picture of `size` = (width, height), and whether it is a surface that shadows fall on."""
    names = list(BACKDROPS)
    chances = np.array([BACKDROPS[name][1] for name in names])
    draw, _, surface = BACKDROPS[names[rng.choice(len(names), p=chances / chances.sum())]]
    return draw(rng, size), surface


def noise(rng: np.random.Generator, size: Size, cells: float, octaves: int = 1) -> Floats:
    """Smooth noise (height, width) of mean 0 and spread about 1, `cells` lumps along the shorter side."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        lumps = cells * 2**octave / min(size)
        grid = (max(int(size[0] * lumps), 2), max(int(size[1] * lumps), 2))
        coarse = Image.fromarray(rng.standard_normal((grid[1], grid[0]), dtype=np.float32))
        total += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)) * 0.6**octave
    return total


def picture(colours: Floats) -> Image.Image:
    """An RGB picture from colours (height, width, 3) between 0 and 1."""
    return Image.fromarray((np.clip(colours, 0.0, 1.0) * 255.0).astype(np.uint8))


def ramp(size: Size) -> Floats:
    """0 at the top to 1 at the bottom, (height, width)."""
    return np.broadcast_to(np.linspace(0.0, 1.0, size[1], dtype=np.float32)[:, None], (size[1], size[0]))


def sky(rng: np.random.Generator, size: Size) -> Image.Image:
    """Clear, cloudy, grey or evening sky."""
    pairs = [((0.25, 0.48, 0.82), (0.72, 0.85, 0.96)), ((0.62, 0.68, 0.74), (0.86, 0.88, 0.9)),
             ((0.36, 0.36, 0.62), (0.98, 0.66, 0.45)), ((0.7, 0.55, 0.7), (1.0, 0.85, 0.6)),
             ((0.16, 0.24, 0.45), (0.5, 0.6, 0.75))]  # fmt: skip
    top, bottom = pairs[rng.integers(len(pairs))]
    colours = blend(top, bottom, ramp(size))
    clouds = np.clip(noise(rng, size, rng.uniform(1.5, 4.0), 3) * 0.5 + rng.uniform(-0.5, 0.4), 0.0, 1.0)
    return picture(blend(colours, (0.97, 0.96, 0.95), 0.8 * clouds))


def meadow(rng: np.random.Generator, size: Size) -> Image.Image:
    """Out of focus green, or a dry field, sometimes with a horizon."""
    near = np.array([0.26, 0.4, 0.13]) * rng.uniform(0.5, 1.4)
    far = np.array([rng.uniform(0.35, 0.75), rng.uniform(0.5, 0.7), 0.3]) * rng.uniform(0.7, 1.1)
    colours = blend(far, near, np.clip(ramp(size) + 0.25 * noise(rng, size, 4.0, 2), 0.0, 1.0))
    if rng.random() < 0.4:
        horizon = rng.uniform(0.1, 0.5) + 0.03 * noise(rng, size, 3.0)
        above = np.clip((horizon - ramp(size)) * 14.0, 0.0, 1.0)
        colours = blend(colours, np.array([0.75, 0.84, 0.93]) * rng.uniform(0.75, 1.05), above)
    colours = colours * (1.0 + 0.12 * noise(rng, size, 9.0))[..., None]
    return picture(colours)


def soil(rng: np.random.Generator, size: Size) -> Image.Image:
    """Earth, sand or bark chips."""
    base = np.array([[0.32, 0.22, 0.14], [0.55, 0.45, 0.32], [0.22, 0.17, 0.13], [0.45, 0.3, 0.2]])[
        rng.integers(4)
    ]
    grain = 0.3 * noise(rng, size, rng.uniform(6.0, 14.0), 3)
    return picture(base * rng.uniform(0.7, 1.2) * (1.0 + grain)[..., None])


def lawn(rng: np.random.Generator, size: Size) -> Image.Image:
    """Short grass from above: noise combed in one direction."""
    base = np.array([0.27, 0.42, 0.13]) * rng.uniform(0.6, 1.25)
    fine = noise(rng, (size[0], max(size[1] // 4, 2)), 45.0, 1)
    combed = np.asarray(Image.fromarray(fine).resize(size, Image.Resampling.BICUBIC))
    colours = base * (1.0 + 0.28 * combed + 0.15 * noise(rng, size, 5.0))[..., None]
    turned = picture(colours.astype(np.float32))
    return turned.rotate(180) if rng.random() < 0.5 else turned


def bokeh(rng: np.random.Generator, size: Size) -> Image.Image:
    """Discs of light out of focus over a dark or green ground."""
    low, high = rng.uniform(0.03, 0.4, 3) * np.array([0.9, 1.1, 0.8]), rng.uniform(0.1, 0.6, 3)
    ground = picture(blend(low, high, np.clip(ramp(size) + 0.2 * noise(rng, size, 3.0), 0.0, 1.0)))
    unit = min(size)
    for _ in range(int(rng.integers(8, 22))):
        r = unit * rng.uniform(0.03, 0.13)
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        hue = np.clip(high * 0.6 + rng.uniform(0.1, 0.75, 3) + rng.uniform(0.0, 0.25), 0.0, 1.0)
        fill = (*(int(255 * value) for value in hue), int(rng.uniform(40, 130)))
        ImageDraw.Draw(ground, "RGBA").ellipse((x - r, y - r, x + r, y + r), fill=fill)
    return ground.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.004, 0.02)))


def wall(rng: np.random.Generator, size: Size) -> Image.Image:
    """Bricks, or plaster in some colour."""
    base = np.array([[0.6, 0.33, 0.25], [0.8, 0.76, 0.68], [0.72, 0.6, 0.42], [0.5, 0.52, 0.55], [0.85, 0.65, 0.6],
                     [0.85, 0.75, 0.4]])[rng.integers(6)] * rng.uniform(0.6, 1.1)  # fmt: skip
    colours = base * (1.0 + 0.06 * noise(rng, size, 20.0, 2) + 0.05 * noise(rng, size, 2.0))[..., None]
    if rng.random() < 0.6:
        course = min(size) * rng.uniform(0.08, 0.2)
        y, x = np.arange(size[1])[:, None] / course, np.arange(size[0])[None, :] / (2.4 * course)
        row = np.floor(y)
        x = x + 0.5 * (row % 2)
        joint = (np.mod(y, 1.0) < 0.12) | (np.mod(x, 1.0) < 0.05)
        brick = rng.uniform(0.8, 1.2, 977)[((row * 31 + np.floor(x) * 7) % 977).astype(int)]
        colours = np.where(joint[..., None], base * rng.uniform(0.6, 1.5), colours * brick[..., None])
    return picture(colours.astype(np.float32))


def planks(rng: np.random.Generator, size: Size) -> Image.Image:
    """Boards of a fence or a table."""
    base = np.array([[0.5, 0.36, 0.22], [0.62, 0.58, 0.52], [0.82, 0.8, 0.76], [0.3, 0.4, 0.45]])[
        rng.integers(4)
    ]
    upright = rng.random() < 0.5
    long, wide = (size[1], size[0]) if upright else (size[0], size[1])
    board = np.arange(wide) / (min(size) * rng.uniform(0.14, 0.3))
    tone = rng.uniform(0.8, 1.15, 64)[np.floor(board).astype(int) % 64] * np.where(
        np.mod(board, 1.0) < 0.05, 0.45, 1
    )
    grain = np.asarray(
        Image.fromarray(rng.standard_normal((wide, 4), dtype=np.float32)).resize(
            (long, wide), Image.Resampling.BICUBIC
        )
    )
    value = tone[:, None] * (1.0 + 0.1 * grain)
    return picture((base * (value.T if upright else value)[..., None]).astype(np.float32))


def paper(rng: np.random.Generator, size: Size) -> Image.Image:
    """A plain backdrop of any colour, lit from one side."""
    base = rng.uniform(0.1, 0.95) + rng.normal(0.0, 0.12, 3)
    glow = rng.uniform(-0.3, 0.3) * ramp(size) + 0.05 * noise(rng, size, 1.5)
    return picture((base * (1.0 + glow)[..., None]).astype(np.float32))


BACKDROPS: dict[str, tuple[Callable[[np.random.Generator, Size], Image.Image], float, bool]] = {
    "sky": (sky, 1.5, False),
    "meadow": (meadow, 2.5, False),
    "soil": (soil, 1.2, True),
    "lawn": (lawn, 1.2, True),
    "bokeh": (bokeh, 1.6, False),
    "wall": (wall, 1.2, True),
    "planks": (planks, 0.8, True),
    "paper": (paper, 0.8, True),
}
