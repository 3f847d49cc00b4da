"""From the first word after a command to what answers: a run, or a file that was exported from one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from corolla.cli.options import RUNNING, check_device, usable_device
from corolla.errors import CorollaError
from corolla.pretrained import is_exported

if TYPE_CHECKING:
    from corolla.predictor import Predictor
    from corolla.run import Config

RunOrFile = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="The run folder that `corolla train` made, or a file that `corolla export` made of one."
    ),
]
AskedBackend = Annotated[
    Literal["onnxruntime", "openvino"] | None,
    typer.Option("--backend", help="What computes an exported file; by default onnxruntime.", rich_help_panel=RUNNING),
]


AskedPrecision = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="What a run computes its answers in. fp32: the digits of an exported file, on every machine; bf16: faster "
        "where the processor or GPU has units for it, the third digit may differ.",
        rich_help_panel=RUNNING,
    ),
]


def open_predictor(
    run: Path,
    device: str | None,
    backend: Literal["onnxruntime", "openvino"] | None,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> "Predictor":
    """The predictor of a run or of an exported file; `CorollaError` if it is neither, or damaged.

    Nothing of torch is loaded for a file, nor for what is neither.
    """
    check_running(run, device, backend, precision)
    from corolla.loading import load

    return load(run, "cpu" if is_exported(run) else usable_device(device), precision, backend or "onnxruntime")


def check_running(
    run: Path, device: str | None, backend: str | None, precision: str, coverage: float | None = None
) -> None:
    """`CorollaError` for what is no run, and for what a run or a file cannot be computed with or asked for."""
    if is_exported(run) and device not in (None, "cpu"):
        raise CorollaError(f"an exported file is computed on the CPU; leave --device {device} out")
    if is_exported(run) and precision != "fp32":
        raise CorollaError(f"an exported file computes as it was exported; leave --precision {precision} out")
    if backend is not None and not is_exported(run):
        raise CorollaError(f"--backend {backend} is for exported files; make one with: corolla export {run}")
    if not is_exported(run):
        check_run(run, device)
    if coverage is not None:
        from corolla.run import find_run
        from corolla.uncertainty.conformal import refuse_coverage

        # Whether a file is calibrated, it says itself when it is opened.
        refuse_coverage(coverage, calibrated=is_exported(run) or find_run(run).calibration.is_file())


def check_run(run: Path, device: str | None = None) -> "Config":
    """The config of a run; `CorollaError` for what is none, and for what is no device, before torch is loaded."""
    from corolla.run import find_run

    check_device(device)
    return find_run(run).check()
