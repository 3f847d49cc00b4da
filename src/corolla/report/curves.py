"""The curves of a training: loss and validation accuracy over the epochs, as a PNG and as SVG for the report.

Both come from the same panels. The SVG names its colours as CSS variables, so the page can turn it dark.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from corolla.atomic import write_with
from corolla.report import words

History = Sequence[Mapping[str, Any]]
MOST = 1e6
APART = 3.0  # so many times as large, one scale would show the smaller loss as a flat line


@dataclass(frozen=True)
class Palette:
    """The few colours of a drawing."""

    ink: str = "#26211f"
    soft: str = "#6f6762"
    line: str = "#e4deda"
    accent: str = "#9c2c68"
    quiet: str = "#8b97a6"  # beside the accent
    card: str = "#ffffff"  # what it is drawn on


PRINTED = Palette()
# Colours that nothing else in the SVG uses; each stands for the CSS variable of its name.
NAMED = Palette("#010203", "#010204", "#010205", "#010206", "#010207", "#010208")


def draw_curves(history: History, path: Path) -> None:
    """Draw both panels side by side into the PNG `path`, whole or not at all.

    `history` holds the lines of `metrics.jsonl`; keys that are missing, and values that are no finite numbers, are
    left out of the drawing.
    """
    figure = Figure(figsize=(11, 4.2), facecolor=PRINTED.card, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    for place, draw in enumerate((draw_loss, draw_accuracy), start=1):
        draw(figure.add_subplot(1, 2, place), history, PRINTED)
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=150, metadata={"Software": "corolla"}))


def curves_svg(history: History) -> list[tuple[str, str]]:
    """The panels as SVG elements to stand in a page, each with a sentence that says what it shows.

    No text in them comes from anywhere but this file, and colours are `var(--ink)` and so on, after `Palette`.
    """
    panels = [(loss_words(history), draw_loss), (accuracy_words(history), draw_accuracy)]
    return [(said, svg(history, draw, f"curve{place}-")) for place, (said, draw) in enumerate(panels)]


def svg(history: History, draw: Callable[[Axes, History, Palette], None], prefix: str) -> str:
    """One panel as an SVG element whose ids begin with `prefix`."""
    figure = Figure(figsize=(5.4, 3.5), facecolor="none", layout="constrained")
    draw(figure.add_subplot(), history, NAMED)
    buffer = io.StringIO()
    plain = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", metadata=plain, transparent=True)
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]  # a doctype would name an address on the web
    drawn = re.sub(r"<style.*?</style>|<metadata.*?</metadata>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    element, inside = drawn.split(">", 1)
    drawn = re.sub(r'\s(?:width|height)="[^"]*"', "", element) + ">" + inside  # the page sizes it
    drawn = re.sub(r'\bid="|(?<=url\()#|(?<=xlink:href=")#', lambda match: match[0] + prefix, drawn)
    drawn = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 inherit", drawn)
    drawn = re.sub(r"font-family: [^;\"]*;? ?", "", drawn)  # the page's own letters
    for name, colour in asdict(NAMED).items():
        drawn = drawn.replace(colour, f"var(--{name})")
    return drawn


def draw_loss(axes: Axes, history: History, palette: Palette) -> None:
    """Training and validation loss, each with a scale of its own where the training's holds a teacher's parts too."""
    prepare(axes, history, palette, "Loss")
    handles = []
    (epochs, values), (val_epochs, val_values) = series(history, "train_loss"), series(history, "val_loss")
    apart = bool(epochs and val_epochs) and min(values) > APART * max(val_values)
    if epochs:
        place, label = (second_scale(axes, palette), "training, scale at the right") if apart else (axes, "training")
        handles += draw_line(place, epochs, values, palette.quiet, label)
    if val_epochs:
        handles += draw_line(axes, val_epochs, val_values, palette.accent, "validation")
    if handles:
        legend = axes.legend(
            handles=handles, loc="upper right", frameon=False, fontsize=9.5, labelcolor=palette.soft, handlelength=1.4
        )
        legend.set_zorder(5)
    else:
        say_empty(axes, palette)


def draw_accuracy(axes: Axes, history: History, palette: Palette) -> None:
    """Validation accuracy, its best epoch marked with a point."""
    prepare(axes, history, palette, "Validation accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=f"{words.SPACE}%"))
    epochs, values = series(history, "val_accuracy")
    if not epochs:
        say_empty(axes, palette)
        return
    draw_line(axes, epochs, values, palette.accent, "validation")
    best = best_epoch(history)
    if best in epochs:
        value = values[epochs.index(best)]
        axes.plot([best], [value], "o", color=palette.accent, markersize=7, markeredgecolor=palette.card, zorder=4)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.12 * (high - low))  # room for the words above the point
        late = best > (epochs[0] + epochs[-1]) / 2
        axes.annotate(
            f"best: {words.percent(value)}, epoch {best}",
            (best, value),
            xytext=(4 if late else -4, 9),
            textcoords="offset points",
            ha="right" if late else "left",
            color=palette.ink,
            fontsize=9.5,
        )


def prepare(axes: Axes, history: History, palette: Palette, title: str) -> None:
    """A bare panel with its title, its grid, and a mark wherever the pictures' size changed."""
    axes.set_facecolor("none")
    axes.set_title(title, loc="left", color=palette.ink, fontsize=11.5, fontweight="bold", pad=12)
    axes.set_xlabel("epoch", color=palette.soft, fontsize=9.5)
    axes.tick_params(colors=palette.soft, labelsize=9.5, length=0, pad=6)
    axes.grid(axis="y", color=palette.line, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(palette.line)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    axes.margins(x=0.03, y=0.08)
    sizes = list(zip(*series(history, "image_size"), strict=True))
    changes = [now for before, now in pairwise(sizes) if before[1] != now[1]]
    for epoch, size in [*sizes[:1], *changes] if changes else []:
        if (epoch, size) in changes:
            axes.axvline(epoch - 0.5, color=palette.line, linewidth=1, zorder=0)
        axes.annotate(
            f"{size:.0f}{words.SPACE}px",
            (epoch - 0.5, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, 1),
            textcoords="offset points",
            color=palette.soft,
            fontsize=8,
        )


def second_scale(axes: Axes, palette: Palette) -> Axes:
    """The same panel with a scale at its right."""
    other: Axes = axes.twinx()
    other.tick_params(colors=palette.soft, labelsize=9.5, length=0, pad=6)
    other.margins(x=0.03, y=0.08)
    for spine in other.spines.values():
        spine.set_visible(False)
    return other


def draw_line(axes: Axes, epochs: list[int], values: list[float], colour: str, label: str) -> list[Any]:
    """A line, with points where there are so few epochs that a line would say little."""
    marker = "o" if len(epochs) < 3 else None
    return list(axes.plot(epochs, values, color=colour, linewidth=2, marker=marker, markersize=4, label=label))


def say_empty(axes: Axes, palette: Palette) -> None:
    """A panel without values says so."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no epoch yet", transform=axes.transAxes, ha="center", color=palette.soft)


def series(history: History, key: str) -> tuple[list[int], list[float]]:
    """Epochs and values of `key`, in order; of an epoch that was run twice the later one counts.

    Values beyond a million are left out: next to them nothing else could be seen.
    """
    found: dict[int, float] = {}
    for row in history:
        epoch, value = words.number(row.get("epoch")), words.number(row.get(key))
        if epoch is not None and value is not None and 0 <= epoch <= MOST and abs(value) <= MOST:
            found[int(epoch)] = value
    ordered = sorted(found.items())
    return [epoch for epoch, _ in ordered], [value for _, value in ordered]


def best_epoch(history: History) -> int | None:
    """The last epoch marked as best, or else the one of the highest validation accuracy."""
    epochs, values = series(history, "val_accuracy")
    marked = [row["epoch"] for row in history if row.get("best") is True and row.get("epoch") in epochs]
    if marked:
        return int(marked[-1])
    return epochs[values.index(max(values))] if epochs else None


def loss_words(history: History) -> str:
    """The loss panel in a sentence, for those who do not see it."""
    parts = [
        f"{name} loss went from {values[0]:.2f} to {values[-1]:.2f}"
        for key, name in (("train_loss", "training"), ("val_loss", "validation"))
        if (values := series(history, key)[1])
    ]
    return f"Over {words.count(len(history), 'epoch')}, {' and '.join(parts)}." if parts else "No losses yet."


def accuracy_words(history: History) -> str:
    """The accuracy panel in a sentence, for those who do not see it."""
    epochs, values = series(history, "val_accuracy")
    best = best_epoch(history)
    if best not in epochs:
        return "No validation accuracy yet."
    value = words.percent(values[epochs.index(best)])
    return f"Validation accuracy over {words.count(len(epochs), 'epoch')}; the best, {value}, in epoch {best}."
