"""An evaluation as a small table on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from corolla.cli.output import answer_console, printable
from corolla.evaluation.metrics import Evaluation
from corolla.evaluation.reliability import Trust
from corolla.evaluation.robustness import CORRUPTIONS, SEVERITIES, Robustness
from corolla.report import words
from corolla.report.facts import caveats
from corolla.text import count

if TYPE_CHECKING:  # an exported file is evaluated without torch
    from corolla.report.comparison import Row

WIDEST_MATRIX = 12  # classes; of more, the most frequent confusions are listed
MOST_PAIRS = 10
TOLD = (0.9, 0.95)  # nominal coverages that are printed


def print_figures(evaluation: Evaluation) -> None:
    """Print accuracy, interval, the metrics of each class and the confusions."""
    console = answer_console()
    low, high = evaluation.interval

    def share(value: float) -> str:
        return f"{value:.{evaluation.decimals}%}"

    for name, value in (
        (
            "accuracy",
            f"{share(evaluation.accuracy)}   95 % interval {share(low)} to {share(high)}, {evaluation.sample}",
        ),
        ("macro F1", f"{evaluation.macro_f1:.3f}"),
        ("log loss", f"{evaluation.log_loss:.3f}"),
        *trust_lines(evaluation.trust),
    ):
        console.print(Text.assemble((f"{name}  ", "bold"), value))
    for caveat in caveats(evaluation):
        console.print(Text(caveat, "yellow"))
    confusions = matrix_table if len(evaluation.classes) <= WIDEST_MATRIX else pairs_table
    for table in (class_table(evaluation), confusions(evaluation)):
        if table.row_count:
            console.print()
            console.print(table)


def trust_lines(trust: Trust | None) -> list[tuple[str, str]]:
    """Names and values of the metrics that only a calibrated model has."""
    if trust is None:
        return []
    told = [each for each in trust.coverages if each.promised in TOLD]
    kept = (f"{each.seen:.1%} for nominal {each.promised:.0%} ({each.size:.2f} classes)" for each in told)
    before = f"{trust.uncalibrated_ece:.1%} before temperature scaling by {trust.temperature:.2f}"
    return [
        ("calibration error", f"{trust.ece:.1%}, {before}"),
        ("coverage", ", ".join(kept)),
        ("accepted", f"{trust.accepted:.1%}, the others are none of these classes"),
    ]


def print_robustness(robustness: Robustness) -> None:
    """Print the accuracy under every corruption, severity by severity."""
    console = answer_console()
    console.print()
    console.print(
        Text.assemble(
            ("corrupted  ", "bold"),
            f"mean accuracy {robustness.mean:.1%}, {robustness.untouched / robustness.n:.1%} without corruption",
        )
    )
    table = plain_table("", *(f"severity {severity}" for severity in SEVERITIES))
    for kind in CORRUPTIONS:
        table.add_row(kind.name, *(f"{share:.1%}" for share in robustness.accuracy(kind.name)))
    console.print(table)


def print_comparison(rows: "Sequence[Row]") -> None:
    """Print the runs and how each differs from the first."""
    table = plain_table("run", "accuracy", "95 % interval", "against A", "95 % interval", "p", "minutes", "")
    for row in rows:
        low, high = row.evaluation.interval
        minutes = row.config.training.get("minutes")
        against = [""] * 3
        if row.comparison and row.p_value is not None:
            lowest, highest = row.comparison.interval
            against = [
                f"{row.comparison.difference * 100:+.1f}",
                f"{lowest * 100:+.1f} to {highest * 100:+.1f}",
                f"{row.p_value:.3f}",
            ]
        table.add_row(
            label(f"{row.letter} {row.name}"),
            f"{row.evaluation.accuracy:.{row.evaluation.decimals}%}",
            f"{low:.{row.evaluation.decimals}%} to {high:.{row.evaluation.decimals}%}",
            *against,
            words.decimal(minutes, 1),
            row.verdict if row.comparison else "",
        )
    console = answer_console()
    console.print(table)
    console.print(Text(f"{count(rows[0].evaluation.n, 'image')}; differences in percentage points", "dim"))
    for row in rows:
        for caveat in caveats(row.evaluation):
            console.print(Text(f"{row.letter}: {caveat}", "yellow"))


def class_table(evaluation: Evaluation) -> Table:
    """Precision and recall class by class."""
    table = plain_table("class", "images", "precision", "recall", "F1")
    for figures in evaluation.per_class:
        shares = ["–" if value is None else f"{value:.1%}" for value in (figures.precision, figures.recall)]
        f1 = "–" if figures.f1 is None else f"{figures.f1:.3f}"
        table.add_row(label(figures.label), f"{figures.n:,}", *shares, f1)
    return table


def matrix_table(evaluation: Evaluation) -> Table:
    """The confusion matrix: a row for each true label, a column for each predicted one."""
    table = plain_table("true \\ predicted", *(printable(name) for name in evaluation.classes))
    for row, (name, counts) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True)):
        cells = [
            Text(f"{count:,}" if count else "·", "bold green" if row == column else "red" if count else "dim")
            for column, count in enumerate(counts)
        ]
        table.add_row(label(name), *cells)
    return table


def pairs_table(evaluation: Evaluation) -> Table:
    """The most frequent confusions."""
    table = plain_table("true", "predicted as", "times", text_columns=2)
    wrong = evaluation.confusion * (1 - np.eye(len(evaluation.classes), dtype=np.int64))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]:
        row, column = divmod(int(place), len(evaluation.classes))
        if wrong[row, column]:
            table.add_row(label(evaluation.classes[row]), label(evaluation.classes[column]), f"{wrong[row, column]:,}")
    return table


def plain_table(*columns: str, text_columns: int = 1) -> Table:
    """A table without frames; its first columns are text and the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place < text_columns else "right", no_wrap=True)
    return table


def label(name: str) -> Text:
    """A class name, safe to print."""
    return Text(printable(name))
