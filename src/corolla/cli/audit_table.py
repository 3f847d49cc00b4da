"""The findings of an audit as small tables on the terminal."""

from rich.table import Table
from rich.text import Text

from corolla.audit.concerns import NOT_JUDGED, concerns, counts
from corolla.audit.findings import Findings
from corolla.cli.evaluation_table import label, plain_table
from corolla.cli.output import answer_console, printable
from corolla.text import count

SUSPECTS = 10
WIDEST = 20  # classes; of more, the five largest and smallest are listed


def print_findings(findings: Findings) -> None:
    """Print the counts, the problems, the classes and the most suspicious labels."""
    console = answer_console()
    splits = ", ".join(
        f"{sum(findings.counts[name, split] for name in findings.classes):,} {split}" for split in findings.splits
    )
    said = f"{count(len(findings.used), 'image')} of {count(len(findings.classes), 'class', 'classes')}"
    console.print(Text(f"{said}: {splits}" if splits else f"{said}, without splits", "bold"))
    for concern in concerns(findings):
        console.print(Text(printable(concern), "yellow"), soft_wrap=True)
    for table in (count_table(findings), class_table(findings), suspect_table(findings)):
        if table.row_count:
            console.print()
            console.print(table)


def count_table(findings: Findings) -> Table:
    """The number of findings of every check."""
    table = plain_table("check", "found")
    for each in counts(findings):
        found = f"{NOT_JUDGED}; give --weights" if each.found == NOT_JUDGED else each.found
        table.add_row(each.what, Text(found.replace("\u00a0", " "), "dim" if found.startswith("0") else ""))
    return table


def class_table(findings: Findings) -> Table:
    """The images of each class, split by split, the largest first."""
    table = plain_table("class", *findings.splits, "images")
    shown = sorted(findings.classes, key=lambda name: (-findings.total(name), name))
    if len(shown) > WIDEST:
        shown = [*shown[: WIDEST // 4], *shown[-WIDEST // 4 :]]
    for name in shown:
        by_split = [f"{findings.counts[name, split]:,}" for split in findings.splits]
        table.add_row(label(name), *by_split, f"{findings.total(name):,}")
    return table


def suspect_table(findings: Findings) -> Table:
    """The labels that are most likely wrong."""
    suspects = findings.labels.suspects if findings.labels else ()
    title = "likely wrong" if len(suspects) <= SUSPECTS else f"likely wrong, the first {SUSPECTS} of {len(suspects):,}"
    table = plain_table(title, "labeled", "looks like", "", text_columns=3)
    for suspect in suspects[:SUSPECTS]:
        sure = f"{suspect.suggested_probability:.0%}"
        table.add_row(label(suspect.path), label(suspect.given), label(suspect.suggested), sure)
    return table
