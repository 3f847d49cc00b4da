"""The table of `speed.py`: medians, and the advantage of corolla."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OURS = "corolla"
COLUMNS = (OURS, "timm", "transformers", "torchvision", "notebook")


@dataclass(frozen=True)
class Measured:
    """One line: what was measured, in which unit, and each contender's figures, one per round."""

    what: str
    more_is_better: bool
    samples: Mapping[str, Sequence[float]]


def advantage(ours: Sequence[float], theirs: Sequence[float], more_is_better: bool) -> float:
    """How many times better ours is: the median of the ratios per round, because a slow round slows both."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(mine / other if more_is_better else other / mine for mine, other in pairs)


def shown(value: float) -> str:
    """A figure with about three digits, never with an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def header() -> str:
    """The first two lines of the table."""
    return f"| | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}"


def row(measured: Measured) -> str:
    """One line: the median of each contender, and in brackets the advantage of corolla."""
    cells = []
    for name in COLUMNS:
        if name not in measured.samples:
            cells.append("")
            continue
        cell = shown(statistics.median(measured.samples[name]))
        if name != OURS and OURS in measured.samples:
            times = advantage(measured.samples[OURS], measured.samples[name], measured.more_is_better)
            cell += f" ({times:.2f} x)"
        cells.append(cell)
    return f"| {measured.what} | {' | '.join(cells)} |"
