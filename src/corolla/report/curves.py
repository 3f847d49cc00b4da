"""The curves of a training: loss and validation accuracy over the epochs, as a PNG and as SVG for the report.

Both come from the same panels. The colors of the SVG are CSS variables, so that the page supports dark mode.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from corolla.atomic import write_with
from corolla.report import words
from corolla.report.drawing import PRINTED, Palette, bare, legend_above, svg

History = Sequence[Mapping[str, Any]]
MOST = 1e6
APART = 3.0  # times as large; beyond it, a common scale would show the smaller loss as a flat line


def draw_curves(history: History, path: Path) -> None:
    """Draw both panels side by side into the PNG `path`, atomically.

    `history` holds the lines of `metrics.jsonl`; missing keys, and values that are no finite numbers, are left
    out of the drawing.
    """
    figure = Figure(figsize=(11, 4.2), facecolor=PRINTED.card, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    for place, draw in enumerate((draw_loss, draw_accuracy), start=1):
        draw(figure.add_subplot(1, 2, place), PRINTED, history)
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=150, metadata={"Software": "corolla"}))


def curves_svg(history: History) -> list[tuple[str, str]]:
    """The panels as SVG elements for a page, each with a sentence that describes it.

    All text in them comes from this file, and colors are `var(--ink)` and so on, after `Palette`.
    """
    panels = [(loss_words(history), draw_loss), (accuracy_words(history), draw_accuracy)]
    return [(said, svg(partial(draw, history=history), f"curve{place}-")) for place, (said, draw) in enumerate(panels)]


def draw_loss(axes: Axes, palette: Palette, history: History) -> None:
    """Training and validation loss, each with its own scale if the training's includes a teacher's parts."""
    prepare(axes, history, palette, "Loss")
    handles = []
    (epochs, values), (val_epochs, val_values) = series(history, "train_loss"), series(history, "val_loss")
    apart = bool(epochs and val_epochs) and min(values) > APART * max(val_values)
    if epochs:
        place, label = (second_scale(axes, palette), "training, right scale") if apart else (axes, "training")
        handles += draw_line(place, epochs, values, palette.quiet, label)
    if val_epochs:
        handles += draw_line(axes, val_epochs, val_values, palette.accent, "validation")
    if handles:
        legend_above(axes, palette, handles)
    else:
        say_empty(axes, palette)


def draw_accuracy(axes: Axes, palette: Palette, history: History) -> None:
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
        axes.set_ylim(low, high + 0.12 * (high - low))  # room for the text above the point
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
    """A bare panel over the epochs, with a mark wherever the images' size changed."""
    bare(axes, palette, title, "epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    sizes = list(zip(*series(history, "image_size"), strict=True))
    changes = [now for before, now in pairwise(sizes) if before[1] != now[1]]
    for epoch, size in [*sizes[:1], *changes] if changes else []:
        later = (epoch, size) in changes
        if later:
            axes.axvline(epoch - 0.5, color=palette.line, linewidth=1, zorder=0)
        axes.annotate(
            f"{size:.0f}{words.SPACE}px",
            (epoch - 0.5 if later else 0, 1),  # the first at the panel's edge, where it overlaps no tick label
            xycoords=("data" if later else "axes fraction", "axes fraction"),
            xytext=(3, 1),
            textcoords="offset points",
            color=palette.soft,
            fontsize=8,
        )


def second_scale(axes: Axes, palette: Palette) -> Axes:
    """The same panel with a second scale on the right."""
    other: Axes = axes.twinx()
    other.tick_params(colors=palette.soft, labelsize=9.5, length=0, pad=6)
    other.margins(x=0.03, y=0.08)
    for spine in other.spines.values():
        spine.set_visible(False)
    return other


def draw_line(axes: Axes, epochs: list[int], values: list[float], color: str, label: str) -> list[Any]:
    """A line, with points where there are so few epochs that a line would say little."""
    marker = "o" if len(epochs) < 3 else None
    return list(axes.plot(epochs, values, color=color, linewidth=2, marker=marker, markersize=4, label=label))


def say_empty(axes: Axes, palette: Palette) -> None:
    """A panel without values says so."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no epoch yet", transform=axes.transAxes, ha="center", color=palette.soft)


def series(history: History, key: str) -> tuple[list[int], list[float]]:
    """Epochs and values of `key`, in order; of an epoch that was run twice, the later one counts.

    Values beyond a million are left out: they would hide everything else.
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


def learned(history: History) -> bool:
    """Whether there is a curve to draw; a fitted head has a single row, of epoch 0."""
    return any(words.number(row.get("epoch")) != 0 for row in history)


def loss_words(history: History) -> str:
    """The loss panel in a sentence, for screen readers."""
    parts = [
        f"{name} loss went from {values[0]:.2f} to {values[-1]:.2f}"
        for key, name in (("train_loss", "training"), ("val_loss", "validation"))
        if (values := series(history, key)[1])
    ]
    return f"Over {words.count(len(history), 'epoch')}, {' and '.join(parts)}." if parts else "No losses yet."


def accuracy_words(history: History) -> str:
    """The accuracy panel in a sentence, for screen readers."""
    epochs, values = series(history, "val_accuracy")
    best = best_epoch(history)
    if best not in epochs:
        return "No validation accuracy yet."
    value = words.percent(values[epochs.index(best)])
    return f"Validation accuracy over {words.count(len(epochs), 'epoch')}; the best, {value}, in epoch {best}."
