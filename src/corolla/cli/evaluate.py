"""`corolla evaluate`: how good a run is on images it has not seen."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corolla.atomic import refuse_occupied
from corolla.cli.opening import AskedBackend, AskedPrecision, RunOrFile, check_running, open_predictor
from corolla.cli.options import FLAG, AskedSplit, Device, Json, Quiet, usable_device
from corolla.cli.output import print_json
from corolla.errors import CorollaError
from corolla.pretrained import is_exported

if TYPE_CHECKING:
    from corolla.evaluation.metrics import Evaluation
    from corolla.evaluation.robustness import Robustness
    from corolla.predictor import Predictor
    from corolla.processes import Processes

EXAMPLES = (
    "Examples:\ncorolla evaluate runs/flowers\ncorolla evaluate runs/flowers new_photos/ --json > figures.json\n"
    "corolla evaluate runs/flowers new_photos/ --out figures\ncorolla evaluate runs/flowers --robustness"
)


def command(
    run: RunOrFile,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Other labeled images, in any format that `corolla train` accepts; by default the run's own.",
            show_default=False,
        ),
    ] = None,
    split: AskedSplit = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write report.html and evaluation.json into this new folder instead of the run.",
            show_default="the run, for its own test images",
        ),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            metavar=FLAG,
            help="Also evaluate images with blur, noise, JPEG, darkness, glare or rotation; takes 24 times as long.",
        ),
    ] = False,
    json: Json = False,
    device: Device = None,
    backend: AskedBackend = None,
    precision: AskedPrecision = "fp32",
    quiet: Quiet = False,
) -> None:
    """Evaluate a run: accuracy with its 95 % Wilson interval, macro F1, log loss, class metrics and confusion matrix.

    For the run's own test images, metrics and errors are written into its report.html, and the metrics into its
    evaluation.json. Results of other images, splits and precisions are printed, and written only with --out; the run
    is not changed.

    With --json one object is printed: split, n, trained_on, accuracy, interval, macro_f1, log_loss, classes, per_class,
    per_group, confusion, selective, trust, and robustness with --robustness.

    Under torchrun, each process predicts a part of the images.
    """
    from functools import partial

    from corolla.data.manifest import lines_of
    from corolla.evaluation.evaluate import answer, asked_about, asked_of
    from corolla.pretrained import run_folder
    from corolla.progress import progress_for

    if is_exported(run) and data is None:
        raise CorollaError(f"an exported file has no images; give labeled ones: corolla evaluate {run} DATA")
    if out and is_exported(run):
        raise CorollaError("an exported file has no report; leave out --out, or evaluate the run of the file")
    if out:
        refuse_occupied(out)
    check_running(run, device, backend, precision)
    processes = joined(device)
    own = not is_exported(run) and run_folder(run) == run
    keeps = own and data is None and split == "test" and precision == "fp32" and out is None
    if keeps and processes.main:
        with alone(run):  # so that a training that writes there is reported now, and not after the work
            pass
    with progress_for(quiet or not processes.main) as progress:
        if is_exported(run):
            predictor = open_predictor(run, device, backend, precision)
            asked = (*asked_of(str(data), split, progress.stage, predictor.classes), frozenset[str]())
        else:
            asked = asked_about(run, data, split, progress.stage)
            predictor = open_predictor(run, device, backend, precision)
        for line in lines_of(asked[0].skipped):
            progress.note(line)
        evaluation = answer(predictor, *asked, progress.stage)
        if not processes.main:
            return
        for note in evaluation.notes:
            progress.note(note)
        robust = None
        if robustness:
            from corolla.evaluation.robustness import measure_robustness

            robust = measure_robustness(predictor, evaluation, partial(progress.stage, "damaging"))
    from corolla.cli.evaluation_table import print_figures, print_robustness

    figures = evaluation.to_json() | ({"robustness": robust.to_json()} if robust else {})
    if json:
        print_json(figures)
    else:
        print_figures(evaluation)
        if robust:
            print_robustness(robust)
    sys.stdout.flush()  # the metrics are printed even if the run folder cannot be written to
    report = None
    if out:
        report = keep(run, figures, evaluation, robust, predictor, out)
    elif keeps:
        with alone(run):
            report = keep(run, figures, evaluation, robust, predictor)
    if not quiet:
        keeper = f"{run} still has the report of its own test images" if own else f"{run} has no report"
        writes = "" if is_exported(run) else "; --out DIR writes one for these images"
        print(f"report: {report}" if report else f"{keeper}{writes}", file=sys.stderr)


def joined(device: str | None) -> "Processes":
    """The processes of a launcher, which share the images; usually only this one."""
    from corolla.processes import ALONE, is_distributed

    if not is_distributed():
        return ALONE
    from corolla.training.runtime import Runtime

    return Runtime(usable_device(device), 0).processes


def alone(run: Path) -> AbstractContextManager[None]:
    """A lock against other processes that write into the run."""
    from corolla.lock import locked

    return locked(run, "evaluation", patience=10.0)  # another evaluation writes its report for a moment


def keep(
    run: Path,
    figures: dict[str, Any],
    evaluation: "Evaluation",
    robust: "Robustness | None",
    predictor: "Predictor",
    out: Path | None = None,
) -> Path:
    """Write the metrics and the report into the run folder, or into `out`; returns the path of the report."""
    from corolla.atomic import write_json
    from corolla.classifier import Classifier
    from corolla.pretrained import run_folder
    from corolla.report.page import write_report
    from corolla.run import Run

    assert isinstance(predictor, Classifier)
    folder = Run(run_folder(run))
    target = Run(out or folder.folder)
    write_json(target.evaluation_file, figures)
    manifest = folder.load_manifest() if folder.manifest_file.is_file() else None
    return write_report(folder, evaluation, manifest, robust, predictor, target.report)
