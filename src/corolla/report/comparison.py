"""Compares several runs: their accuracy, a test of the differences, and their training curves.

The others are compared with the first run. The drawing names runs by letters, so that it has no folder's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from corolla.atomic import write_text
from corolla.evaluation.comparing import Comparison, compare, holm
from corolla.evaluation.metrics import Evaluation
from corolla.report import facts, words
from corolla.report.drawing import Palette, bare, legend_above, svg
from corolla.report.page import environment
from corolla.report.sections import Section
from corolla.run import Config, Run

CLEAR = 0.05  # p-value below which a difference counts as clear


@dataclass(frozen=True, eq=False)
class Row:
    """One run of a comparison; the first has nothing to be compared with."""

    letter: str
    run: Run
    config: Config
    evaluation: Evaluation
    comparison: Comparison | None = None  # with the first run
    p_value: float | None = None  # of that comparison, corrected for their number (Holm)

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.run.folder.absolute().name

    @property
    def verdict(self) -> str:
        """The result of the comparison in words."""
        if self.comparison is None or self.p_value is None:
            return "the reference of the comparison"
        if self.p_value >= CLEAR:
            return "no clear difference"
        return "better" if self.comparison.difference > 0 else "worse"

    def to_json(self) -> dict[str, Any]:
        """As values for JSON."""
        figures = self.evaluation.to_json()
        return {
            "run": str(self.run.folder),
            "model": self.config.model,
            "parameters": self.config.training.get("parameters"),
            "minutes": self.config.training.get("minutes"),
            "best_val_accuracy": self.config.training.get("best_val_accuracy"),
            **{key: figures[key] for key in ("split", "n", "accuracy", "interval", "log_loss")},
            "trained_on": self.evaluation.trained_on,
            "against_first": self.comparison and self.comparison.to_json() | {"holm_p_value": self.p_value},
            "verdict": self.verdict,
        }


def compare_runs(runs: Sequence[tuple[Run, Evaluation]]) -> list[Row]:
    """Compare every run with the first one; `CorollaError` if they were evaluated on different images."""
    comparisons = [compare(runs[0][1], evaluation) for _, evaluation in runs[1:]]
    p_values = holm([comparison.p_value for comparison in comparisons])
    return [
        Row(letter, run, run.load_config(), evaluation, comparison, p_value)
        for letter, (run, evaluation), comparison, p_value in zip(
            ascii_uppercase, runs, [None, *comparisons], [None, *p_values], strict=False
        )
    ]


def write_comparison(rows: Sequence[Row], file: Path) -> None:
    """Write the comparison as one self-contained page, atomically."""
    sections = [Section("accuracy", "Accuracy", {})]
    if any(len(learning(row.run.history())[0]) > 1 for row in rows):  # single points are no curves
        drawing = svg(partial(draw, rows=rows), "runs-", size=(8.0, 4.0))
        sections.append(Section("learning", "Learning", {"panels": [(words_of(rows), drawing)]}))
    sections.append(Section("runs", "The runs", {"facts": {row.letter: facts.training(row.config) for row in rows}}))
    page = environment().get_template("comparison.html.j2")
    write_text(file, page.render(rows=rows, sections=sections, measured=facts.measured_on(rows[0].evaluation)))


def draw(axes: Axes, palette: Palette, rows: Sequence[Row]) -> None:
    """The validation accuracy of every run over its minutes of training."""
    bare(axes, palette, "Validation accuracy", "minutes of training")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=f"{words.SPACE}%"))
    lines = []
    for row, color in zip(rows, palette.several, strict=False):
        minutes, accuracy = learning(row.run.history())
        marker = "o" if len(minutes) < 3 else None
        lines += axes.plot(minutes, accuracy, color=color, linewidth=2, marker=marker, markersize=4, label=row.letter)
        if minutes:
            end = minutes[-1], accuracy[-1]
            axes.annotate(
                row.letter, end, xytext=(5, 0), textcoords="offset points", va="center", color=color, fontweight="bold"
            )
    legend_above(axes, palette, lines)


def learning(history: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Minutes since the start and validation accuracy, for the epochs with a validation."""
    rows = [row for row in history if isinstance(row, dict)]
    spent = accumulate((words.number(row.get("seconds")) or 0.0) / 60 for row in rows)
    points = [(minutes, words.number(row.get("val_accuracy"))) for minutes, row in zip(spent, rows, strict=True)]
    known = [(minutes, accuracy) for minutes, accuracy in points if accuracy is not None]
    return [minutes for minutes, _ in known], [accuracy for _, accuracy in known]


def words_of(rows: Sequence[Row]) -> str:
    """The drawing in a sentence, for screen readers."""
    best = (f"{row.letter} {words.percent(max(learning(row.run.history())[1], default=None))}" for row in rows)
    return f"Validation accuracy over the minutes of training; the best of each run: {', '.join(best)}."
