"""`corolla bench`: the peak speed of this machine, and how much of it corolla reaches."""

from typing import Annotated

import typer

from corolla.bench import BATCHES, MODELS
from corolla.cli.options import RUNNING, Device, Json, Quiet, Workers, check_device, refuse_infinite, usable_device
from corolla.cli.output import print_json

EXAMPLES = (
    "Examples:\n"
    "corolla bench\n"
    "corolla bench --model vit_micro_conv16_160 --size 96 --size 160 --batch 64\n"
    "corolla bench --images photos/ --json > machine.json"
)


def command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A model to measure; may be repeated.",
            show_default=", ".join(MODELS),
        ),
    ] = None,
    size: Annotated[
        list[int] | None,
        typer.Option(
            metavar="PX",
            min=1,
            help="Side of the square images, instead of the one in the models' names; may be repeated.",
            show_default="the side in the models' names",
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N", min=1, help="Batch size; may be repeated.", show_default=", ".join(map(str, BATCHES))
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Images to use instead of painted ones, in any format that `corolla train` accepts.",
            show_default="painted",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="S", min=0.01, max=600, help="Seconds for each measurement; at least three calls are measured."
        ),
    ] = 3.0,
    json: Json = False,
    device: Device = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads for computing and decoding.",
            show_default="chosen by torch",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Measure this machine: matrix multiplications, prediction, training steps, image decoding, whole epochs.

    The column "of peak" is the fraction of the fastest matrix multiplication measured here in the same precision; it
    counts a model's FLOPs once for a prediction and three times for a training step. No files are left behind.

    With --json one object is printed: corolla, torch, hardware, device, threads, mixed_precision, reason, ceilings,
    models, images, epochs, load, seconds.
    """
    refuse_infinite(seconds=seconds)

    from corolla.bench.cases import cases_of
    from corolla.data.sources import glance
    from corolla.progress import progress_for

    check_device(device)
    cases_of(model or MODELS, size or (), batch or BATCHES)
    if images is not None:
        glance(images)

    from corolla.bench.epochs import SIZES as EPOCH_SIZES
    from corolla.bench.report import bench
    from corolla.cli.bench_table import print_report

    with progress_for(quiet) as progress:
        report = bench(
            model or MODELS,
            sizes=size or (),
            batches=batch or BATCHES,
            images=images,
            seconds=seconds,
            epoch_sizes=size or EPOCH_SIZES,
            device=usable_device(device),
            threads=threads,
            workers=workers,
            progress=progress,
        )
    if json:
        print_json(report.to_json())
    else:
        print_report(report)
