"""A grid of images with a title each: what `corolla predict --plot` draws."""

import textwrap
from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from corolla.atomic import write_with
from corolla.data.decoding import ImageError, read_image
from corolla.report import words
from corolla.report.drawing import PRINTED, drawable, families

Tile = tuple[Path | bytes, str, bool | None]  # the image, its title, whether the prediction is correct

MOST = 400  # tiles; with more, titles are not readable and the file is huge
SIDE = 2.3  # inches of a tile
DPI = 110
TITLE = 10.5  # points
RIGHT, WRONG = "#1c6b4a", "#a3262f"
EMPTY = "#f3efec"


def draw_grid(images: Sequence[Tile], path: Path, columns: int | None = None) -> None:
    """Draw the images, whole and upright, into the PNG `path`, each below its title.

    A title is green with a tick if its prediction is correct, red with a cross if it is wrong, and plain if that is not
    known. An unreadable image becomes an empty tile with the reason. Of more than 400 images the first 400 are drawn,
    and the last line says so. ValueError if there are none.
    """
    if not images:
        raise ValueError("a grid needs at least one image")
    shown = images[:MOST]
    across = min(columns or default_columns(len(shown)), len(shown))
    down = ceil(len(shown) / across)
    below = 0.3 if len(shown) < len(images) else 0.0  # inches for the last line
    size = (across * SIDE + 0.3, down * (SIDE + 0.42) + 0.15 + below)
    figure = Figure(figsize=size, dpi=DPI, facecolor=PRINTED.card)
    FigureCanvasAgg(figure)
    width, height = size
    for place, tile in enumerate(shown):
        row, column = divmod(place, across)
        left = 0.15 + column * SIDE + 0.08
        bottom = height - (row + 1) * (SIDE + 0.42) + 0.06
        side = SIDE - 0.16
        axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
        draw_tile(axes, *tile, room=side * DPI)
    if below:
        left_out = f"and {words.count(len(images) - len(shown), 'more image')}"
        figure.text(0.5, 0.1 / height, left_out, ha="center", color=PRINTED.soft, fontsize=TITLE)
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=DPI, metadata={"Software": "corolla"}))


def default_columns(n: int) -> int:
    """Up to five images in one row, more in a nearly square grid."""
    return n if n <= 5 else max(4, ceil(sqrt(n)))


def draw_tile(axes: Axes, source: Path | bytes, title: str, good: bool | None, *, room: float) -> None:
    """One image under its title, at most `room` dots wide."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor(EMPTY)
    mark, color = {True: ("✓ ", RIGHT), False: ("✗ ", WRONG), None: ("", PRINTED.ink)}[good]
    # parse_math: a class may be called "$x$".
    shown = axes.set_title("", color=color, fontsize=TITLE, fontfamily=families(), parse_math=False, pad=5, loc="left")
    for text in shortened(drawable(title)):
        shown.set_text(mark + text)
        if shown.get_window_extent().width <= room:
            break
    try:
        axes.imshow(np.asarray(square(read_image(source, draft=round(room)), round(room))), aspect="auto")
    except ImageError as error:
        axes.text(
            0.5,
            0.5,
            textwrap.fill(drawable(error.reason), 26, max_lines=6, placeholder=" …"),
            transform=axes.transAxes,
            ha="center",
            va="center",
            parse_math=False,
            color=PRINTED.soft,
            fontsize=TITLE - 1,
            fontfamily=families(),
        )


def square(image: Image.Image, side: int) -> Image.Image:
    """The whole image inside a square of `side` pixels."""
    return ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, color=EMPTY)


def shortened(text: str) -> list[str]:
    """The text, then shorter and shorter; it is cut in the middle because the probability is at the end."""
    kept = range(min(len(text) - 2, 60), 3, -1)
    return [text, *(f"{text[: (k + 1) // 2].rstrip()}…{text[len(text) - k // 2 :].lstrip()}" for k in kept)]
