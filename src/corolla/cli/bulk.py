"""`corolla predict … --out FILE.parquet`: a table with a row per image, for any number of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from corolla.cli.failures import Interrupted
from corolla.cli.opening import device_for
from corolla.cli.process import quick_imports
from corolla.errors import CorollaError
from corolla.text import count, rate


def refuse_others(out: Path | None, engine: str | None, **others: Any) -> None:
    """`CorollaError` for `--engine` without `--out`, and for other kinds of output beside it."""
    if out is None:
        raise CorollaError(f"--engine {engine} writes a table; name it with --out FILE.parquet")
    given = [f"--{name}" for name, value in others.items() if value]
    if given:
        raise CorollaError(f"{' and '.join(given)} cannot be combined with --out; the table has all that they show")


def write(
    run: Path,
    words: Sequence[str],
    out: Path,
    engine: Literal["local", "ray"],
    top: int | None,
    coverage: float | None,
    device: str | None,
    backend: Literal["onnxruntime", "openvino"] | None,
    precision: Literal["fp32", "bf16"],
    quiet: bool,
) -> None:
    """Write the table; if it is stopped, `Interrupted` says how many rows are saved."""
    with quick_imports():
        from corolla.batch_inference.run import TOP, Told, predict, refuse
        from corolla.progress import progress_for

    refuse(words, out, engine)
    told = Told()
    try:
        with progress_for(quiet) as progress:
            predict(
                run,
                words,
                out,
                engine=engine,
                top=top or TOP,
                coverage=coverage,
                device=device_for(run, device),
                backend=backend or "onnxruntime",
                precision=precision,
                progress=progress,
                told=told,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {told.kept:,} of {count(told.rows, 'row is', 'rows are')} saved, and the same command resumes"
            if told.rows
            else "stopped before the images were listed; the same command starts again"
        ) from None
    failed = f", {told.failed:,} of them unreadable" if told.failed else ""
    speed = f", {rate(told.rate)} rows/s" if told.made else ""
    print(f"{out}: {count(told.rows, 'row')}{failed}{speed}")
    if told.rows and told.failed == told.rows:
        raise CorollaError(
            f"none of the {told.rows:,} images could be read" if told.rows > 1 else "the one image could not be read"
        )
