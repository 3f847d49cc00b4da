"""`corolla compare`: several runs on the same images, with a test of each difference."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from corolla.cli.options import AskedSplit, Device, Json, Quiet, usable_device
from corolla.cli.output import print_json
from corolla.errors import CorollaError

EXAMPLES = (
    "Examples:\n"
    "corolla compare runs/first runs/second --out comparison.html\n"
    "corolla compare runs/first flowers --data new_photos/ --json"
)


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Two to six run folders; the others are compared with the first."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Labeled images to evaluate all runs on; by default each run's own split, which must be the same "
            "images.",
            show_default=False,
        ),
    ] = None,
    split: AskedSplit = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write an HTML page with the table, learning curves and settings.",
            show_default="no page",
        ),
    ] = None,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Compare runs: accuracy on the same images, the difference with its interval, and an exact test.

    A difference counts as clear if its p-value is below 0.05 (exact McNemar test, with Holm's correction for several
    comparisons). The runs are not changed.

    With --json a list is printed, an object for each run: run, model, parameters, minutes, best_val_accuracy, split, n,
    accuracy, interval, log_loss, trained_on, against_first, verdict.
    """
    from corolla.cli.opening import check_run
    from corolla.data.sources import glance
    from corolla.evaluation.comparing import MOST

    if not 2 <= len(runs) <= MOST:
        raise CorollaError(f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} given; compare takes two to {MOST}")
    if out and (out.is_dir() or out.suffix.lower() not in (".html", ".htm")):
        raise CorollaError(f"--out {out} should be the name of an .html file")

    for run in runs:
        check_run(run, device)
    if data is not None:
        glance(data)

    from corolla.cli.evaluation_table import print_comparison
    from corolla.evaluation.evaluate import evaluate
    from corolla.pretrained import run_folder
    from corolla.progress import progress_for
    from corolla.report.comparison import compare_runs, write_comparison
    from corolla.run import Run

    device = usable_device(device)
    with progress_for(quiet) as progress:
        asked = []
        for run in runs:
            evaluation = evaluate(run, data, split=split, device=device, progress=progress.stage)
            asked.append((Run(run_folder(run)), evaluation))
    rows = compare_runs(asked)
    if json:
        print_json([row.to_json() for row in rows])
    else:
        print_comparison(rows)
    sys.stdout.flush()
    if out:
        write_comparison(rows, out)
        if not quiet:
            print(f"comparison: {out}", file=sys.stderr)
