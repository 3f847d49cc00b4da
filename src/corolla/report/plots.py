"""The plots of the report: reliability diagram, accuracy-coverage curve, and accuracy under common corruptions."""

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from corolla.evaluation.reliability import Bin, Selective
from corolla.evaluation.robustness import CORRUPTIONS, Corruption, Robustness
from corolla.report import words
from corolla.report.drawing import Palette, bare, legend_above, svg


def confidence_svg(bins: Sequence[Bin], before: Sequence[Bin], curve: Selective) -> list[tuple[str, str]]:
    """Both panels as SVG elements, each with a sentence that describes it; `before` may be empty."""
    return [
        (reliability_words(bins), svg(partial(draw_reliability, bins=bins, before=before), "reliability-")),
        (selective_words(curve), svg(partial(draw_selective, curve=curve), "selective-")),
    ]


def draw_reliability(axes: Axes, palette: Palette, bins: Sequence[Bin], before: Sequence[Bin]) -> None:
    """Accuracy over confidence; a point's area is its number of predictions, the diagonal is perfect calibration."""
    bare(axes, palette, "Reliability", "confidence")
    axes.plot([0, 1], [0, 1], color=palette.line, linewidth=1.5)
    if before:
        axes.plot(*points(before), color=palette.quiet, linewidth=1.5, linestyle=(0, (4, 3)), label="uncalibrated")
    axes.plot(*points(bins), color=palette.accent, linewidth=2, label="calibrated" if before else "accuracy")
    most = max(each.n for each in bins)
    axes.scatter(*points(bins), s=[12 + 130 * each.n / most for each in bins], color=palette.accent, zorder=3)
    axes.set_ylabel("accuracy", color=palette.soft, fontsize=9.5)
    axes.set_xlim(min(each.low for each in bins), 1.02)
    axes.set_ylim(0, 1.05)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=f"{words.SPACE}%"))
    legend_above(axes, palette)


def draw_selective(axes: Axes, palette: Palette, curve: Selective) -> None:
    """Accuracy over the fraction of images that are predicted, the most confident first."""
    bare(axes, palette, "Selective prediction", "fraction of images predicted")
    axes.plot(curve.share, curve.accuracy, color=palette.accent, linewidth=2)
    axes.set_ylabel("accuracy of these", color=palette.soft, fontsize=9.5)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(max(float(curve.accuracy[curve.share > 0.1].min()) - 0.05, 0.0), 1.005)
    for axis, decimals in ((axes.xaxis, 0), (axes.yaxis, None)):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals, symbol=f"{words.SPACE}%"))


def points(bins: Sequence[Bin]) -> tuple[list[float], list[float]]:
    """Confidence and accuracy of the bins."""
    return [each.confidence for each in bins], [each.accuracy for each in bins]


def reliability_words(bins: Sequence[Bin]) -> str:
    """The first panel in a sentence, for screen readers."""
    told = (f"{words.percent(each.accuracy, 0)} at {words.percent(each.confidence, 0)}" for each in bins)
    return f"Accuracy by confidence: {'; '.join(told)}."


def selective_words(curve: Selective) -> str:
    """The second panel in a sentence, for screen readers."""
    shares = ((wanted, curve.share_at(wanted)) for wanted in (0.9, 0.95, 0.99))
    told = (f"{words.percent(share, 0)} at an accuracy of {words.percent(wanted, 0)}" for wanted, share in shares)
    return f"Images that could be predicted: {', '.join(told)}."


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
