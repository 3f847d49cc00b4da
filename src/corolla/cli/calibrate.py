"""`corolla calibrate`: let a run know how sure it may be, and what is none of its classes."""

from typing import Annotated

import typer

from corolla.cli.options import Device, Json, Quiet, RunFolder, usable_device
from corolla.cli.output import print_json
from corolla.errors import CorollaError

EXAMPLES = "Examples:\ncorolla calibrate runs/flowers\ncorolla calibrate somebodys_run/ photos/splits.csv"


def command(
    run: RunFolder,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Labeled images with a train and a val split; by default those the run was made from.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Calibrate a run that is not, or calibrate it anew; `corolla train` does it at its end.

    From the validation images come a temperature, so that of answers given with 80 % four in five are right; the
    scores from which `corolla predict --coverage` makes its sets of classes; and how unlike the training images an
    image may be before the answer is "none of these classes". Writes calibration.safetensors into the run folder and
    changes nothing else there.

    With --json one object is printed: temperature, novelty, val, train, auroc_on_damaged.
    """
    from corolla.cli.opening import check_run
    from corolla.data.manifest import lines_of
    from corolla.data.sources import load_data
    from corolla.evaluation.evaluate import check_classes
    from corolla.lock import locked
    from corolla.pretrained import NAMES
    from corolla.progress import progress_for
    from corolla.run import Run

    folder = Run(run)
    if str(run) in NAMES and not folder.config_file.is_file():
        raise CorollaError(f"{run} comes with corolla and is calibrated")
    if data is None and not folder.manifest_file.is_file():
        raise CorollaError(f"{run} has no manifest.csv; say where labeled images are: corolla calibrate {run} DATA")
    classes = check_run(run, device).classes
    with progress_for(quiet) as progress, locked(folder.folder, "calibration", progress.note):
        manifest = folder.load_manifest() if data is None else load_data(data, known=classes, progress=progress.stage)
        for line in lines_of(manifest.skipped):
            progress.note(line)
        check_classes(manifest, classes)

        from corolla.classifier import Classifier
        from corolla.evaluation.calibrating import calibrate

        classifier = Classifier.load(run, usable_device(device), calibrated=False)
        calibration = calibrate(classifier, manifest, progress.stage)
        calibration.save(folder.calibration)
    said = {"temperature": calibration.temperature, "novelty": calibration.novelty.name} | calibration.facts
    if json:
        print_json(said)
    else:
        print(
            f"temperature {calibration.temperature:.3f}, novelty by {calibration.novelty.name}, "
            f"from {calibration.facts['val']:,} validation and {calibration.facts['train']:,} training images"
        )
