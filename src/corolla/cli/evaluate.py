"""`corolla evaluate`: how good a run is on pictures it has not seen."""

import sys
from typing import Annotated

import typer

from corolla.cli.options import FLAG, AskedSplit, Device, Json, Quiet, RunFolder, usable_device
from corolla.cli.output import print_json

EXAMPLES = (
    "Examples:\ncorolla evaluate runs/flowers\ncorolla evaluate runs/flowers new_photos/ --json > figures.json\n"
    "corolla evaluate runs/flowers --robustness"
)


def command(
    run: RunFolder,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Other labelled pictures, as `corolla train` takes them; by default those the run was made from.",
            show_default=False,
        ),
    ] = None,
    split: AskedSplit = "test",
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            metavar=FLAG,
            help="Ask again about the pictures blurred, noisy, compressed, dark, glaring and turned; 24 times as long.",
        ),
    ] = False,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Measure a run: accuracy with its 95 % Wilson interval, macro F1, log loss, per class and confusion.

    Writes the figures and the pictures of its mistakes into the run's report.html, and the figures into its
    evaluation.json. With --json that object is printed: split, n, trained_on, accuracy, interval, macro_f1, log_loss,
    classes, per_class, per_group, confusion, selective, trust, and robustness if it was asked for.
    """
    from functools import partial

    from corolla.atomic import write_json
    from corolla.classifier import Classifier
    from corolla.cli.figures import print_figures, print_robustness
    from corolla.evaluation.evaluate import evaluate
    from corolla.evaluation.robustness import measure_robustness
    from corolla.pretrained import run_folder
    from corolla.progress import progress_for
    from corolla.report.page import write_report
    from corolla.run import Run

    device = usable_device(device)
    with progress_for(quiet) as progress:
        classifier = Classifier.load(run, device)
        evaluation = evaluate(run, data, split=split, classifier=classifier, progress=progress.stage)
        robust = None
        if robustness:
            robust = measure_robustness(classifier, evaluation, partial(progress.stage, "damaging"))
    figures = evaluation.to_json() | ({"robustness": robust.to_json()} if robust else {})
    if json:
        print_json(figures)
    else:
        print_figures(evaluation)
        if robust:
            print_robustness(robust)
    sys.stdout.flush()  # the figures are out even if the run folder cannot be written to
    if run_folder(run) != run:
        if not quiet:
            print(f"{run} comes with corolla and keeps no report; a run folder of your own does", file=sys.stderr)
        return
    folder = Run(run)
    write_json(folder.evaluation_file, figures)
    manifest = folder.load_manifest() if folder.manifest_file.is_file() else None
    write_report(folder, evaluation, manifest, robust, classifier)
    if not quiet:
        print(f"report: {folder.report}", file=sys.stderr)
