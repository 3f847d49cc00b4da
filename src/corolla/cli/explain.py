"""`corolla explain`: what the answers rest on, drawn over the images."""

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
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the images go: a folder that is new or empty.")],
    method: Annotated[
        Literal[Method, "all"],
        typer.Option(
            help="relevance: attention weighted by the gradient of the class; rollout: attention through all blocks; "
            "attention: that of the last block, and of each of its heads; or all three."
        ),
    ] = DEFAULT,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Show what speaks for this class instead of the one answered; only relevance depends on it.",
            show_default="the class that is answered",
        ),
    ] = None,
    arrays: Annotated[
        bool,
        typer.Option("--arrays", metavar=FLAG, help="Write the numbers too, as .npz files that NumPy opens."),
    ] = False,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Draw over each image which parts of it the answer rests on: bright is much, dark is little.

    Into DIR go an overlay for each image and method, sheet.png with the first 48 images beside their overlays, and
    what the first layer has learned (figure 7 of the Vision Transformer's paper): filters.png and positions.png.
    For each image the class, its probability and the file are told. An image that cannot be read is told and left
    out.

    With --json a list is printed, an object for each image: path, label, probability, and files, from what is
    shown to where.
    """
    refuse_occupied(out)
    classes = check_run(run, device).classes
    refuse_label(label, classes)

    with quick_imports():
        from corolla.cli.inputs import gather, none_readable, refuse_unreadable, scratch_for
        from corolla.cli.overlays import write_overlays, write_sheet
        from corolla.cli.predictions import Lines
        from corolla.progress import progress_for

    methods: list[Method] = list(get_args(Method)) if method == "all" else [method]
    stdout = sys.stdout  # before a progress bar takes it over
    told: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    first: list[Explained] = []
    with scratch_for(paths) as scratch:
        with progress_for(quiet) as progress:
            inputs = gather(paths, scratch, progress)
        refuse_unreadable(inputs, json)
        with quick_imports():
            from corolla.classifier import Classifier
            from corolla.explanations.embeddings import write_embeddings
        classifier = Classifier.load(run, usable_device(device))
        lines = Lines(inputs, classes, 1)
        # Lines that run down a terminal are progress enough.
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
