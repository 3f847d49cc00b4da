"""Opens the RUN argument of a command, a run or an exported file, as a predictor."""

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
    typer.Argument(metavar="RUN", help="The run folder of `corolla train`, or a file of `corolla export`."),
]
AskedBackend = Annotated[
    Literal["onnxruntime", "openvino"] | None,
    typer.Option("--backend", help="Runtime for an exported file; by default onnxruntime.", rich_help_panel=RUNNING),
]


AskedPrecision = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="Precision of a run's inference. fp32: the same digits as an exported file, on every machine; bf16: "
        "faster if the processor or GPU has bfloat16 units, but probabilities may differ in the third digit.",
        rich_help_panel=RUNNING,
    ),
]


def open_predictor(
    run: Path,
    device: str | None,
    backend: Literal["onnxruntime", "openvino"] | None,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> "Predictor":
    """The predictor of a run or of an exported file; `CorollaError` if it is neither, or corrupted.

    Torch is loaded for a run only.
    """
    check_running(run, device, backend, precision)
    from corolla.loading import load

    return load(run, device_for(run, device), precision, backend or "onnxruntime")


def device_for(run: Path, device: str | None) -> str:
    """The device that computes: the CPU for an exported file, for a run the given or the available one."""
    return "cpu" if is_exported(run) else usable_device(device)


def check_running(
    run: Path, device: str | None, backend: str | None, precision: str, coverage: float | None = None
) -> None:
    """`CorollaError` if it is no run, or if the run or file does not support these options."""
    if is_exported(run) and device not in (None, "cpu"):
        raise CorollaError(f"an exported file is computed on the CPU; leave out --device {device}")
    if is_exported(run) and precision != "fp32":
        raise CorollaError(f"an exported file computes as it was exported; leave out --precision {precision}")
    if backend is not None and not is_exported(run):
        raise CorollaError(f"--backend {backend} is for exported files; make one with: corolla export {run}")
    if not is_exported(run):
        check_run(run, device)
    if coverage is not None:
        from corolla.run import find_run
        from corolla.uncertainty.conformal import refuse_coverage

        # An exported file reports whether it is calibrated when it is opened.
        refuse_coverage(coverage, calibrated=is_exported(run) or find_run(run).calibration.is_file())


def check_run(run: Path, device: str | None = None) -> "Config":
    """The config of a run; `CorollaError`, before torch is loaded, if it is no run or the device is no device."""
    from corolla.run import find_run

    check_device(device)
    return find_run(run).check()
