"""`corolla train`: the options are the keywords of `corolla.train`, grouped for reading."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from corolla.cli.failures import Interrupted
from corolla.cli.options import (
    FLAG,
    RUNNING,
    ClassFolders,
    Device,
    Duplicates,
    Quiet,
    Workers,
    check_device,
    refuse_infinite,
    usable_device,
)
from corolla.cli.recipe_options import recipe_options
from corolla.cli.repeating import shell_line, words_of
from corolla.cli.run_names import called, fresh
from corolla.errors import CorollaError
from corolla.training.recipe_fields import parse_resizing

EXAMPLES = (
    "Examples:\n"
    "corolla train photos/ --out runs/mine --minutes 30\n"
    "corolla train splits.csv --out runs/ti --model vit_tiny_patch16_224 --epochs 99\n"
    "corolla train photos/ --out runs/mine --weights vit_small_patch16_224.augreg_in21k\n"
    "corolla train photos/ --out runs/mine --teacher efficientnet-lite0 --minutes 45\n"
    "corolla train photos/ --out runs/mine --resume"
)


@recipe_options
def command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with a subfolder of images for each class, with or without train/ val/ test/ above them; "
            "a table (CSV, TSV, text or Parquet) with the columns path and label; a zip of either; "
            "shards: a folder of `corolla data shard`, WebDataset tars (a folder, or a pattern such as "
            "'train-{000..099}.tar'), or Parquet or Arrow files of Hugging Face datasets; "
            "or flowers (real photographs, downloaded) or painted (generated).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The run folder to create.",
            show_default="runs/NAME, named after the data; if not empty, runs/NAME-2, …; with --resume runs/NAME",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Training recipe: scratch, probe, finetune or distill; by default chosen by the other options.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            min=0.01,
            help="Time budget of the whole command in minutes; model, image size and epochs are chosen to fit it.",
            show_default="the recipe's epochs",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the split, the weights and the augmentation.")] = 0,
    resume: Annotated[
        bool,
        typer.Option("--resume", metavar=FLAG, help="Resume an interrupted run from its last checkpoint."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar=FLAG, help="Stop at the first unusable image instead of leaving it out."),
    ] = False,
    class_folders: ClassFolders = None,
    duplicates: Duplicates = None,
    device: Device = None,
    workers: Workers = None,
    fsdp: Annotated[
        bool,
        typer.Option(
            "--fsdp",
            metavar=FLAG,
            help="Under torchrun, also shard the model over the processes, if it is too large for one of them.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    checkpoint_minutes: Annotated[
        float,
        typer.Option(
            metavar="M",
            min=0.0,
            help="Save a checkpoint at least every M minutes, and more often between epochs if this takes little time.",
            rich_help_panel=RUNNING,
        ),
    ] = 5.0,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard", metavar=FLAG, help="Also write TensorBoard files into the run.", rich_help_panel=RUNNING
        ),
    ] = False,
    quiet: Quiet = False,
    **changes: Any,
) -> None:
    """Train a classifier on your images and write a run folder with its weights, metrics and report.

    With --minutes, all values that are not given are chosen to fit this time, and printed. The command also prints
    which images were left out and why, the metrics of every epoch, and the test accuracy with its interval.

    Ctrl-C stops the training after the current step, saves everything, and prints the command that resumes it; a second
    Ctrl-C stops it at once.

    Under torchrun, as in `torchrun --nproc-per-node 4 -m corolla train …`, several processes share each batch;
    --batch-size is the total of all processes, and the run is the same as that of a single process.
    """
    out = out or unnamed(data, resume)
    given = {name: value for name, value in locals().items() if name != "changes"} | changes
    started = time.monotonic()
    if minutes is not None and changes["epochs"] is not None:
        raise CorollaError("--minutes and --epochs were both given; give the time or the epochs, not both")
    numbers = {name: value for name, value in changes.items() if isinstance(value, float)}
    refuse_infinite(minutes=minutes, checkpoint_minutes=checkpoint_minutes, **numbers)
    if changes["progressive_resizing"] is not None:
        changes["progressive_resizing"] = parse_sizes(changes["progressive_resizing"])

    check_device(device)
    with resumable(given):
        from corolla.progress import progress_for
        from corolla.training.preflight import refuse

        with progress_for(quiet) as progress:
            refuse(
                data,
                out,
                changes,
                recipe=recipe,
                minutes=minutes,
                seed=seed,
                resume=resume,
                tensorboard=tensorboard,
                class_folders=class_folders or "",
                duplicates=duplicates or "",
                progress=progress,
            )

            from corolla.training.train import train

            train(
                data,
                out,
                recipe=recipe,
                minutes=minutes,
                seed=seed,
                resume=resume,
                strict=strict,
                device=device and usable_device(device),
                workers=workers,
                fsdp=fsdp,
                checkpoint_minutes=checkpoint_minutes,
                tensorboard=tensorboard,
                class_folders=class_folders or "",
                duplicates=duplicates or "",
                progress=progress,
                started=started,
                **changes,
            )


def unnamed(data: str, resume: bool) -> Path:
    """The run folder without --out; several processes could not agree on one."""
    from corolla.processes import is_distributed

    if is_distributed():
        raise CorollaError("several processes need one run folder: give it with --out")
    place = Path("runs") / called(data)
    return place if resume else fresh(place)


def parse_sizes(text: str) -> tuple[tuple[float, float], ...]:
    """From `0:0.5,0.3:1` to ((0.0, 0.5), (0.3, 1.0)): from which epoch on (fraction), which fraction of the side."""
    try:
        return parse_resizing(
            "--progressive-resizing", [[float(number) for number in part.split(":")] for part in text.split(",")]
        )
    except (ValueError, CorollaError):
        raise CorollaError(
            f"--progressive-resizing is {text!r}; write START:SCALE pairs with increasing starts from 0 to below 1 and "
            "scales above 0 and up to 1, such as 0:0.5,0.3:0.75,0.65:1"
        ) from None


@contextmanager
def resumable(given: Mapping[str, Any]) -> Iterator[None]:
    """End a training on Ctrl-C and SIGTERM with one line; `given` are the parameters of its `command`."""
    from corolla.training.stopping import GracefulShutdown

    try:
        with GracefulShutdown():
            yield
    except KeyboardInterrupt as interrupt:
        kept = what_is_kept(given["out"], getattr(interrupt, "at_once", True))
        raise Interrupted(f"{kept}; {how_to_resume(given)}", getattr(interrupt, "by", signal.SIGINT)) from None


def what_is_kept(out: Path, at_once: bool = False) -> str:
    """What is saved of a stopped training; `at_once`: without finishing the current step."""
    if "corolla.run" not in sys.modules:  # it was importing libraries, and must not import them again
        return "stopped before anything started"
    from corolla.run import Run

    run = Run(out)
    if not run.config_file.is_file():
        return "stopped before the training started; what it has read and computed is cached"
    if run.finished():
        return "stopped and saved"
    if not run.checkpoint.is_file():
        return "stopped before its first checkpoint; data and recipe are saved"
    return "stopped at once; its last checkpoint is saved" if at_once else "stopped and saved"


def how_to_resume(given: Mapping[str, Any]) -> str:
    """The whole command that resumes a training; `given` are the parameters of its `command`."""
    from corolla.processes import is_distributed

    line = shell_line(["corolla", "train", *words_of(command, given, ["resume"]), "--resume"])
    return f"resume{' by the same launcher' if is_distributed() else ''} with: {line}"
