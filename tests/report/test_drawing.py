"""Legends stand beside the title, whatever the data is, so that they never lie over a line."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from corolla.evaluation.reliability import Bin
from corolla.report import comparison
from corolla.report.curves import draw_loss
from corolla.report.drawing import PRINTED, Palette
from corolla.report.plots import draw_reliability

# Right however unsure it was: the line runs where a legend within the panel would lie.
HIGH = [Bin(low, low + 0.1, 20, low + 0.05, 1.0) for low in (0.3, 0.5, 0.7, 0.9)]
RISING = [
    {"epoch": epoch, "image_size": 16 if epoch < 5 else 24, "train_loss": 9.0 * epoch, "val_loss": 0.4 * epoch}
    for epoch in range(1, 7)
]
RUNS: Any = [
    SimpleNamespace(letter=letter, run=SimpleNamespace(history=lambda: [{"seconds": 60.0, "val_accuracy": 0.1}] * 4))
    for letter in "ABCDEF"
]


@pytest.mark.parametrize(
    ("draw", "size", "entries"),
    [
        (partial(draw_reliability, bins=HIGH, before=HIGH), (5.4, 3.5), 2),
        (partial(draw_loss, history=RISING), (5.4, 3.5), 2),
        (partial(draw_loss, history=RISING), (5.0, 4.2), 2),
        (partial(comparison.draw, rows=RUNS), (8.0, 4.0), 6),
    ],
    ids=["reliability", "loss", "loss of the PNG", "comparison"],
)
def test_a_legend_lies_over_nothing(
    draw: Callable[[Axes, Palette], None], size: tuple[float, float], entries: int
) -> None:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes, PRINTED)
    figure.canvas.draw()
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == entries
    place = legend.get_window_extent()
    assert place.y0 >= axes.bbox.y1
    assert place.x0 >= 0
    assert place.x1 <= figure.bbox.x1
    assert place.y1 <= figure.bbox.y1 + 1
    for other in [each for each in axes.get_children() if isinstance(each, Text) and each.get_text()]:
        if other.get_window_extent().y0 >= axes.bbox.y1:  # the title, and the images' sizes
            assert not place.padded(-3).overlaps(other.get_window_extent()), other.get_text()
