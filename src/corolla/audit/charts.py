"""Histograms of image sizes and aspect ratios, as SVG for the page."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from corolla.audit.images import Look
from corolla.report.drawing import Palette, bare, svg
from corolla.text import count

BINS = 32
RATIOS = {1 / 4: "1:4", 1 / 2: "1:2", 2 / 3: "2:3", 1: "1:1", 3 / 2: "3:2", 2: "2:1", 4: "4:1"}


def size_charts(looks: Sequence[Look]) -> list[tuple[str, str]]:
    """Shorter sides and aspect ratios as SVG elements, each with a sentence that summarizes it."""
    shorter = np.array([min(look.width, look.height) for look in looks])
    ratios = np.array([look.ratio for look in looks])
    tall, wide = int((ratios < 1).sum()), int((ratios > 1).sum())
    low, middle, high = shorter.min(), np.median(shorter), shorter.max()
    return [
        (
            f"Shorter sides run from {low:,} to {high:,} pixels; the median is {middle:,.0f}.",
            histogram("Shorter side", "pixels", np.log2(shorter), pixel_ticks, "sizes-"),
        ),
        (
            f"{count(wide, 'image is', 'images are')} wider than high, {tall:,} higher than wide, "
            f"{len(looks) - wide - tall:,} square.",
            histogram("Shape", "width : height", np.log2(ratios), ratio_ticks, "shapes-"),
        ),
    ]


def histogram(title: str, unit: str, values: NDArray[np.float64], ticks: Callable[[Axes], None], prefix: str) -> str:
    """A histogram of the values on a logarithmic scale."""

    def draw(axes: Axes, palette: Palette) -> None:
        bare(axes, palette, title, unit)
        low, high = values.min(), values.max()
        room = max(0.5 - (high - low), 0.0) / 2  # images of a single size get a narrow bar, not the whole panel
        axes.hist(values, bins=BINS, range=(low - room - 0.05, high + room + 0.05), color=palette.accent)
        axes.set_ylabel("images", color=palette.soft, fontsize=9.5)
        ticks(axes)

    return svg(draw, prefix)


def pixel_ticks(axes: Axes) -> None:
    """Ticks at pixel counts that are multiples of the usual patch sizes."""
    low, high = axes.get_xlim()
    sides = [2.0**power * part for power in range(2, 20) for part in (1, 1.25, 1.5, 1.75)]
    inside = [side for side in sides if low <= np.log2(side) <= high] or [round(2 ** ((low + high) / 2))]
    few = inside[:: max(len(inside) // 6, 1)]
    axes.set_xticks(np.log2(few), [f"{side:,.0f}" for side in few])


def ratio_ticks(axes: Axes) -> None:
    """Ticks at common aspect ratios."""
    low, high = axes.get_xlim()
    inside = {ratio: name for ratio, name in RATIOS.items() if low <= np.log2(ratio) <= high}
    axes.set_xticks(np.log2(list(inside)), list(inside.values()))
