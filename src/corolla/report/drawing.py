"""The common parts of all drawings: colors, a plain panel, and the export as SVG.

A drawing is a function of axes and palette. It becomes a PNG in fixed colors, or an SVG whose colors are CSS variables,
so that the page supports dark mode.
"""

import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font


@dataclass(frozen=True)
class Palette:
    """The few colors of a drawing."""

    ink: str = "#26211f"
    soft: str = "#6f6762"
    line: str = "#e4deda"
    accent: str = "#9c2c68"
    quiet: str = "#8b97a6"  # beside the accent
    card: str = "#ffffff"  # what it is drawn on
    # For several lines; after Okabe & Ito, for readers with any color vision.
    first: str = "#0072b2"
    second: str = "#c25400"
    third: str = "#00805d"
    fourth: str = "#b0528a"
    fifth: str = "#8a6d00"
    sixth: str = "#4d7fa6"

    @property
    def several(self) -> tuple[str, ...]:
        """The colors for several lines, in order."""
        return self.first, self.second, self.third, self.fourth, self.fifth, self.sixth


Drawing = Callable[[Axes, Palette], None]

PRINTED = Palette()
# Colors that nothing else in the SVG uses; each stands for the CSS variable of its name.
NAMED = Palette(*(f"#0102{place:02x}" for place in range(3, 15)))


def svg(draw: Drawing, prefix: str, size: tuple[float, float] = (5.4, 3.5)) -> str:
    """One panel of `size` (width and height in inches) as an SVG element whose ids begin with `prefix`.

    Its colors are `var(--ink)` and so on, after `Palette`. Text in the drawing is not escaped in the page, so it must
    be the project's own.
    """
    figure = Figure(figsize=size, facecolor="none", layout="constrained")
    draw(figure.add_subplot(), NAMED)
    buffer = io.StringIO()
    plain = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", metadata=plain, transparent=True)
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]  # a doctype would contain a URL
    drawn = re.sub(r"<style.*?</style>|<metadata.*?</metadata>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    element, inside = drawn.split(">", 1)
    drawn = re.sub(r'\s(?:width|height)="[^"]*"', "", element) + ">" + inside  # the page sizes it
    drawn = re.sub(r'\bid="|(?<=url\()#|(?<=xlink:href=")#', lambda match: match[0] + prefix, drawn)
    drawn = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 inherit", drawn)
    drawn = re.sub(r"font-family: [^;\"]*;? ?", "", drawn)  # the page's own font
    for name, color in asdict(NAMED).items():
        drawn = drawn.replace(color, f"var(--{name})")
    return drawn


def bare(axes: Axes, palette: Palette, title: str, below: str) -> None:
    """A panel with a title, `below` its horizontal axis, a grid, and no frame."""
    axes.set_facecolor("none")
    axes.set_title(title, loc="left", color=palette.ink, fontsize=11.5, fontweight="bold", pad=12)
    axes.set_xlabel(below, color=palette.soft, fontsize=9.5)
    axes.tick_params(colors=palette.soft, labelsize=9.5, length=0, pad=6)
    axes.grid(axis="y", color=palette.line, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(palette.line)
    axes.margins(x=0.03, y=0.08)


def legend_above(axes: Axes, palette: Palette, handles: Sequence[Artist] | None = None) -> None:
    """A legend beside the title, where it never overlaps the data; by default of the lines with a label."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else list(handles)
    legend = axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.9,  # in font heights: level with the title, and above the annotations on the panel's edge
        ncols=len(handles) or 1,
        columnspacing=1.2,
        frameon=False,
        fontsize=9.5,
        labelcolor=palette.soft,
        handlelength=1.4,
    )
    legend.set_zorder(5)


# Matplotlib includes DejaVu Sans; systems have the others for scripts that it lacks.
CANDIDATES = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "WenQuanYi Zen Hei",
)
MISSING = "□"


@cache
def families() -> tuple[str, ...]:
    """The fonts of this machine, for `fontfamily`."""
    here = set(font_manager.get_font_names())
    return tuple(name for name in CANDIDATES if name in here)


@cache
def covered() -> frozenset[int]:
    """The code points that one of `families` can draw."""
    files = [font_manager.findfont(name, fallback_to_default=False) for name in families()]
    return frozenset(code for file in files for code in FT2Font(file).get_charmap())


def drawable(text: str) -> str:
    """The text on one line, with a box for every character that no font here has."""
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(character if ord(character) in covered() else MISSING for character in spaced)
