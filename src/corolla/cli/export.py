"""`corolla export`: a run as one file that predicts without torch, verified before it is written."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from corolla.cli.options import Json, Quiet, RunFolder
from corolla.cli.output import print_json
from corolla.cli.process import quick_imports
from corolla.text import count

if TYPE_CHECKING:
    from corolla.export.parity import ParityReport

EXAMPLES = (
    "Examples:\n"
    "corolla export runs/mine\n"
    "corolla export runs/mine --precision int8 --out mine-int8.onnx\n"
    "corolla export flowers --data IMAGES --out flowers.onnx"
)


def command(
    run: RunFolder,
    to: Annotated[Literal["onnx"], typer.Option(help="The file format.")] = "onnx",
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(
            help="fp32: as trained; fp16: half the size, computed in fp32; int8: a quarter of the size, and faster if "
            "the processor has 8-bit instructions."
        ),
    ] = "fp32",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write; by default named after the run, in the current folder."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Labeled images to verify the file on, if the run's own are not available.",
            show_default="the run's own",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a run as one ONNX file that `predict`, `evaluate` and `serve` accept instead of a run, without torch.

    The graph takes decoded RGB images of any size and returns calibrated probabilities, the OOD score and an
    explanation; class names, preprocessing and thresholds are in its metadata. Before it is written, it is compared
    with the run on validation images: no file is written if more than 0.5 % of its predictions differ, 1 % for int8.

    With --json the parity report is printed: precision, n, logit, probability, agreement, accuracy, run_accuracy, the
    same for whole images, and seconds per image of file and run.
    """
    with quick_imports():
        from corolla.export.preflight import refuse
        from corolla.pretrained import EXPORTED
        from corolla.progress import progress_for

    name = run.resolve().name + (f"-{precision}" if precision != "fp32" else "")
    file = out or Path(f"{name}{EXPORTED}")
    refuse(run, file, data)
    with quick_imports():
        from corolla.export.run_export import export

    with progress_for(quiet) as progress:
        proof = export(run, file, precision, data, progress.stage)
    if json:
        print_json(proof.to_json())
    else:
        print(
            f"{file}: {precision}, {file.stat().st_size / 1e6:.1f} MB, compared with the run on "
            f"{count(proof.n, 'image')}"
        )
        for name, value in lines(proof):
            print(f"{name:<20} {value}")
    if precision == "int8" and proof.slower and not quiet:
        print("int8 is not faster on this computer, only smaller", file=sys.stderr)


def lines(proof: "ParityReport") -> list[tuple[str, str]]:
    """The parity report as names and texts."""
    one, batch = ((getattr(proof.speed, kind), getattr(proof.run_speed, kind)) for kind in ("one", "batch"))
    return [
        ("largest difference", f"{proof.logit:.1e} of a logit, {proof.probability:.1e} of a probability"),
        ("same prediction", f"{proof.agreement:.1%}"),
        ("accuracy", f"{proof.accuracy:.1%}, the run {proof.run_accuracy:.1%}"),
        (
            "resized by the file",
            f"same prediction for {proof.whole_agreement:.1%} of {proof.whole_n}, "
            f"{proof.whole_probability:.1e} of a probability",
        ),
        ("one image", f"{one[0] * 1e3:.1f} ms, the run {one[1] * 1e3:.1f} ms"),
        ("one of a batch", f"{batch[0] * 1e3:.1f} ms, the run {batch[1] * 1e3:.1f} ms"),
    ]
