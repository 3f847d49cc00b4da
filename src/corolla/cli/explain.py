"""`corolla explain`: attribution maps of the predictions, drawn over the images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from corolla.atomic import refuse_occupied
from corolla.cli.failures import say
from corolla.cli.opening import check_run
from corolla.cli.options import FLAG, Device, Images, Json, Quiet, RunFolder, usable_device
from corolla.cli.output import print_json, printable
from corolla.cli.process import quick_imports
from corolla.explanations import DEFAULT, Method, refuse_label

if TYPE_CHECKING:
    from corolla.cli.overlays import Explained

EXAMPLES = (
    "Examples:\n"
    "corolla explain flowers rose.jpg --out why\n"
    "corolla explain runs/mine photos/ --out why --method all --arrays\n"
    "corolla explain flowers rose.jpg --out why_not --label tulips"
)
ON_THE_SHEET = 48  # images


def command(
    run: RunFolder,
    paths: Images,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The output folder; it must be new or empty.")],
    method: Annotated[
        Literal[Method, "all"],
        typer.Option(
            help="relevance: attention weighted by the gradient of the class; rollout: attention through all blocks; "
            "attention: the last block's attention, and that of each of its heads; all: all three."
        ),
    ] = DEFAULT,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Explain this class instead of the predicted one; only the method relevance depends on it.",
            show_default="the predicted class",
        ),
    ] = None,
    arrays: Annotated[
        bool,
        typer.Option("--arrays", metavar=FLAG, help="Also write the maps as NumPy arrays, in .npz files."),
    ] = False,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Draw over each image how much its parts contribute to the prediction: much if bright, little if dark.

    DIR gets an overlay for each image and method; sheet.png with the first 48 images beside their overlays; and
    filters.png and positions.png, which show what the first layer has learned (figure 7 of the Vision Transformer's
    paper). For each image, the class, its probability and the file are printed. An unreadable image is reported and
    skipped.

    With --json a list is printed, an object for each image: path, label, probability, and files, the paths by
    method.
    """
    refuse_occupied(out)
    classes = check_run(run, device).classes
    refuse_label(label, classes)

    with quick_imports():
        from corolla.cli.inputs import gather, none_readable, refuse_unreadable, scratch_folder
        from corolla.cli.overlays import write_overlays, write_sheet
        from corolla.cli.predictions import Lines
        from corolla.progress import progress_for

    methods: list[Method] = list(get_args(Method)) if method == "all" else [method]
    stdout = sys.stdout  # before a progress bar takes it over
    told: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    first: list[Explained] = []
    with scratch_folder() as scratch:
        with progress_for(quiet) as progress:
            inputs = gather(paths, scratch, progress)
        refuse_unreadable(inputs, json)
        with quick_imports():
            from corolla.classifier import Classifier
            from corolla.explanations.embeddings import write_embeddings
        classifier = Classifier.load(run, usable_device(device))
        lines = Lines(inputs, classes, 1)
        # Lines on a terminal are enough progress.
        with progress_for(quiet or (stdout.isatty() and not json)) as progress:
            for one in write_overlays(classifier, inputs, out, progress, methods, label, arrays):
                told.append(one.to_json())
                if not one.explanations:
                    failures.append((one.input.name, one.error))
                    if len(inputs) > 1:
                        say(f"cannot read {one.input.name}: {one.error}")
                    continue
                if len(first) < ON_THE_SHEET:
                    first.append(one)
                if not json:
                    line = lines.line(one.prediction, one.input.name)
                    print(f"{line}  {printable(str(one.files[methods[0]]))}", file=stdout, flush=True)
    if json:
        print_json(told)
    if not first:
        raise none_readable(failures)
    write_sheet(first, out / "sheet.png")
    for file, what in write_embeddings(classifier.model, out, arrays):
        if not quiet:
            print(printable(f"{file}: {what}"), file=sys.stderr)
