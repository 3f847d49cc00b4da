"""`corolla calibrate`: temperature, prediction sets and out-of-distribution detection for a run."""

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
            help="Labeled images with a train and a val split; by default the run's own.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Calibrate a run for the first time or again; `corolla train` does this at its end.

    The validation images give a temperature, so that four in five predictions with a probability of 80 % are correct;
    the scores for the conformal prediction sets of `corolla predict --coverage`; and the limit of the OOD score above
    which the verdict is "none of these classes". Writes calibration.safetensors into the run folder and changes
    nothing else there.

    With --json one object is printed: temperature, ood_score, val, train, auroc_on_damaged.
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
        raise CorollaError(f"{run} has no manifest.csv; give labeled images: corolla calibrate {run} DATA")
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
    said = {"temperature": calibration.temperature, "ood_score": calibration.ood_detector.name} | calibration.facts
    if json:
        print_json(said)
    else:
        print(
            f"temperature {calibration.temperature:.3f}, OOD score {calibration.ood_detector.name}, "
            f"from {calibration.facts['val']:,} validation and {calibration.facts['train']:,} training images"
        )
