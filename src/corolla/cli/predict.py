"""`corolla predict`: the class of each image."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from corolla.atomic import refuse_occupied
from corolla.cli import bulk
from corolla.cli.failures import say
from corolla.cli.opening import AskedBackend, AskedPrecision, RunOrFile, check_running, open_predictor
from corolla.cli.options import Device, Images, Json, Quiet
from corolla.cli.output import print_json
from corolla.cli.process import quick_imports
from corolla.errors import CorollaError

EXAMPLES = (
    "Examples:\n"
    "corolla predict runs/flowers rose.jpg\n"
    "corolla predict runs/flowers photos/ --csv answers.csv --plot grid.png\n"
    "find . -name '*.jpg' | corolla predict runs/flowers - --json\n"
    "corolla predict runs/flowers s3://bucket/photos --out results.parquet"
)
BULK = "Many images"
TOP = 5  # classes in JSON and CSV unless --top says otherwise; on the screen it is one


def command(
    run: RunOrFile,
    paths: Images,
    top: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help=f"Show the K most likely classes; by default 1, in JSON and CSV {TOP}."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            help="Predict a set of classes that contains the correct one with this probability, such as 0.95.",
            show_default="the most likely classes",
        ),
    ] = None,
    json: Json = False,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the predictions to a CSV table.", show_default="no table"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Also draw a grid of the images with class and probability.",
            show_default="no drawing",
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Draw an attribution map of each prediction into this new folder, as `corolla explain` does.",
            show_default="no drawings",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.parquet",
            help="Instead of printing, write a table with a row for each image, for any number of images; after an "
            "interruption, the same command resumes.",
            show_default="predictions are printed",
            rich_help_panel=BULK,
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"] | None,
        typer.Option(
            help="Engine for --out: this process (local), or Ray Data on all processors of a machine or cluster (ray).",
            show_default="local",
            rich_help_panel=BULK,
        ),
    ] = None,
    device: Device = None,
    backend: AskedBackend = None,
    precision: AskedPrecision = "fp32",
    quiet: Quiet = False,
) -> None:
    """Predict the class of each image, with its probability.

    Predictions are in the order of the images; those of a folder are sorted by name. An unreadable image is reported
    on standard error and skipped; in JSON it is an entry with path and error. The exit status is 0 if at least one
    image could be read, and 2 otherwise.

    An out-of-distribution image gets the verdict "none of these classes", with its OOD score: 0 is the median of the
    validation images; images up to 1 are accepted, as are 95 % of the validation images.

    With --json a list is printed, an object for each image: path, label, probability, top (a list of objects with
    label and probability), accepted, ood_score, and labels with --coverage.
    """
    for file, what in ((csv, "--csv"), (plot, "--plot")):
        if file and file.is_dir():
            raise CorollaError(f"{what} {file} is a folder; give the name of a file")
    if plot and plot.suffix.lower() != ".png":
        raise CorollaError(f"--plot {plot} should end in .png, the one format it is drawn in")
    if explain:
        refuse_occupied(explain)
    check_running(run, device, backend, precision, coverage)
    if out or engine:
        bulk.refuse_others(out, engine, json=json, csv=csv, plot=plot, explain=explain)
        assert out
        bulk.write(run, paths, out, engine or "local", top, coverage, device, backend, precision, quiet)
        return

    with quick_imports():
        from corolla.cli import predictions as answers
        from corolla.cli.inputs import gather, none_readable, refuse_unreadable, scratch_folder
        from corolla.progress import progress_for

    shown = sys.stdout  # before a progress bar takes it over
    told: list[answers.Answer] = []
    with scratch_folder() as scratch:
        with progress_for(quiet) as progress:
            inputs = gather(paths, scratch, progress)
        refuse_unreadable(inputs, json)
        classifier = open_predictor(run, device, backend, precision)
        classifier.check_coverage(coverage)
        lines = answers.Lines(inputs, classifier.classes, top or 1)
        # Lines on a terminal are enough progress.
        with progress_for(quiet or (shown.isatty() and not json)) as progress:
            for answer in answers.ask(classifier, inputs, top or TOP, coverage, progress):
                told.append(answer)
                if answer.prediction is None and len(inputs) > 1:
                    say(f"cannot read {answer.input.name}: {answer.error}")
                if answer.prediction and not json:
                    print(lines.line(answer.prediction, answer.input.name), file=shown, flush=True)
        good = [answer for answer in told if answer.prediction]
        if json:
            print_json([answer.to_json() for answer in told])
        if csv and good:
            answers.write_csv(good, csv)
        if plot and good:
            answers.draw(good, plot)
        if explain and good:
            from corolla.cli.overlays import write_overlays

            with progress_for(quiet) as progress:
                for _ in write_overlays(classifier, [answer.input for answer in good], explain, progress):
                    pass
    if not good:
        raise none_readable([(answer.input.name, answer.error) for answer in told])
