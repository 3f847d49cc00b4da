"""The results of `corolla bench` as small tables on the terminal."""

import torch
from rich.table import Table
from rich.text import Text

from corolla.bench.report import Report
from corolla.cli.evaluation_table import plain_table
from corolla.cli.output import answer_console, printable
from corolla.text import rate


def print_report(report: Report) -> None:
    """Print the results."""
    console = answer_console()
    console.print(Text(report.hardware, "bold"))
    console.print(
        f"torch {torch.__version__} on {report.device} with {counted(report.threads, 'thread')}; "
        f"mixed precision: {report.mixed_precision} ({report.reason})",
        markup=False,
        soft_wrap=True,
    )
    for table in (ceiling_table(report), model_table(report), image_table(report), epoch_table(report)):
        console.print()
        console.print(table)


def ceiling_table(report: Report) -> Table:
    """The fastest matrix multiplication in each precision."""
    table = plain_table("matrix multiplication", "GFLOP/s", "fastest at")
    for name, ceiling in report.ceilings.items():
        table.add_row(name, f"{ceiling.rate / 1e9:,.0f}", " x ".join(map(str, ceiling.shape)))
    return table


def model_table(report: Report) -> Table:
    """Prediction and training, model by model and batch by batch."""
    known = any(row.measured.memory is not None for row in report.speeds)
    columns = ["task", "precision", "batch", "images/s", "ms/batch", "GFLOP/s", "of peak"]
    table = plain_table("model", *columns, *(["peak memory"] if known else []), text_columns=3)
    for row in report.speeds:
        memory = "" if row.measured.memory is None else f"{row.measured.memory / 1e6:,.0f} MB"
        table.add_row(
            row.case.model,
            row.measured.task,
            row.measured.precision,
            f"{row.case.batch:,}",
            rate(row.images_per_second),
            rate(1000 * row.measured.timing.median),
            rate(row.rate / 1e9),
            f"{row.share:.0%}",
            *([memory] if known else []),
        )
    return table


def image_table(report: Report) -> Table:
    """Decoding and augmented crops."""
    read = report.images
    title = f"{read.images:,} images, {'painted' if read.source == 'painted' else 'of ' + printable(read.source)}"
    threads, workers = counted(read.threads, "thread"), counted(read.workers, "worker")
    table = plain_table(title, "", "images/s", text_columns=2)
    for what, how, speed in (
        ("full decoding", threads, read.decoded),
        (f"decoding with JPEG draft for {read.size} px", threads, read.decoded_draft),
        (f"augmented crops of {read.size} px, first epoch from files", workers, read.first_views),
        (f"augmented crops of {read.size} px, later epochs", workers, read.next_views),
    ):
        table.add_row(what, how, rate(speed))
    return table


def epoch_table(report: Report) -> Table:
    """The fraction of an epoch's time outside training steps, and the cost of a validation."""
    columns = ("images", "images/s", "outside training steps", "s to validate 1,000")
    table = plain_table("epochs of cached images", *columns)
    for cost in report.epochs:
        table.add_row(
            f"{cost.size} px",
            f"{cost.images:,}",
            rate(cost.images_per_second),
            f"{cost.overhead:.1%}",
            rate(cost.validation_per_1000),
        )
    return table


def counted(number: int, what: str) -> str:
    """Such as "1 thread", "2 threads" and "no workers"."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
