"""Accuracy under common corruptions, a small panel for each kind."""

from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from corolla.evaluation.corruptions import CORRUPTIONS, Corruption, Robustness
from corolla.report import words
from corolla.report.drawing import Palette, bare, svg


def robustness_svg(robustness: Robustness) -> list[tuple[str, str]]:
    """A panel for each corruption as an SVG element, with a sentence that describes it."""
    return [
        (
            panel_words(kind, robustness),
            svg(partial(draw, kind=kind, robustness=robustness), f"robust{place}-", size=(3.2, 2.5)),
        )
        for place, kind in enumerate(CORRUPTIONS)
    ]


def draw(axes: Axes, palette: Palette, kind: Corruption, robustness: Robustness) -> None:
    """The accuracy by severity, and that without corruption as a dashed line."""
    bare(axes, palette, kind.name, kind.unit)
    clean = robustness.untouched / robustness.n
    places = range(len(kind.strengths) + 1)
    axes.axhline(clean, color=palette.quiet, linewidth=1, linestyle=(0, (4, 3)))
    shares = [clean, *robustness.accuracy(kind.name)]
    axes.plot(places, shares, color=palette.accent, linewidth=2, marker="o", markersize=4)
    axes.set_xticks(places, ["none", *(f"{strength:g}" for strength in kind.strengths)])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=f"{words.SPACE}%"))


def panel_words(kind: Corruption, robustness: Robustness) -> str:
    """The panel in a sentence, for screen readers."""
    falls = ", ".join(words.percent(share) for share in robustness.accuracy(kind.name))
    return f"{kind.name}: accuracy {words.percent(robustness.untouched / robustness.n)} uncorrupted, then {falls}."
