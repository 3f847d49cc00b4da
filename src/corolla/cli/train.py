"""`corolla train`: the options are the keywords of `corolla.train`, grouped for reading."""

import math
import os
import shlex
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from corolla.cli.failures import Interrupted
from corolla.cli.options import FLAG, RUNNING, Device, Quiet, usable_device
from corolla.errors import CorollaError
from corolla.training.recipe import ClassWeights, Optimiser, Policy

EXAMPLES = (
    "Examples:\n"
    "corolla train photos/ --out runs/mine --minutes 30\n"
    "corolla train splits.csv --out runs/ti --model vit_tiny_patch16_224 --epochs 99\n"
    "corolla train photos/ --out runs/mine --resume"
)
OPTIMISATION = "Optimisation (the recipe's values where not given)"
ANSWERING = "Answering (the recipe's value where not given)"
REGULARISATION = "Regularisation and augmentation (the recipe's values where not given)"


def command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder of pictures for each class, with or without train/ val/ test/ above them; "
            "a CSV, TSV or Parquet table with the columns path and label; a zip of either; "
            "or one of the words flowers (real photographs, downloaded) and painted (made on the spot).",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The run folder to make.")],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="The recipe to start from: scratch.")] = "scratch",
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", min=0.01, help="Fit model, picture size and epochs to so many minutes on this machine."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passes over the pictures, instead of --minutes.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Such as vit_tiny_patch16_224; `corolla summary NAME` shows it."),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(metavar="PX", min=1, help="Side of the square pictures the model sees, in pixels.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the split, the weights and the augmentation.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", metavar=FLAG, help="Go on with an interrupted run where its last epoch ended.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar=FLAG, help="Stop at the first unusable picture instead of leaving it out."),
    ] = False,
    optimiser: Annotated[
        Optimiser | None,
        typer.Option(help="muon is for the blocks' matrices and the stem only.", rich_help_panel=OPTIMISATION),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="LR", help="At its peak.", rich_help_panel=OPTIMISATION)
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(metavar="X", help="Decoupled.", rich_help_panel=OPTIMISATION)
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Of the steps, until the learning rate is at its peak.", rich_help_panel=OPTIMISATION
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures in a batch.", rich_help_panel=OPTIMISATION)
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Batches whose gradients are added up before a step.", rich_help_panel=OPTIMISATION
        ),
    ] = None,
    clip_norm: Annotated[
        float | None, typer.Option(metavar="X", help="Largest norm of the gradient.", rich_help_panel=OPTIMISATION)
    ] = None,
    average_decay: Annotated[
        float | None,
        typer.Option(metavar="X", help="Of the moving average of the weights, a step.", rich_help_panel=OPTIMISATION),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Stop after so many validations without a better one.", rich_help_panel=OPTIMISATION
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(metavar="X", help="From 0 to 1.", rich_help_panel=REGULARISATION)
    ] = None,
    drop_path: Annotated[
        float | None,
        typer.Option(metavar="X", help="Stochastic depth of the last block.", rich_help_panel=REGULARISATION),
    ] = None,
    class_weights: Annotated[
        ClassWeights | None,
        typer.Option(help="balanced: pictures of rare classes count for more.", rich_help_panel=REGULARISATION),
    ] = None,
    crop_scale: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Smallest share of the area that a random crop keeps.", rich_help_panel=REGULARISATION
        ),
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(
            metavar="NAME",
            help="Changes of colour and shape: none, light, trivial (TrivialAugment) or rand (RandAugment).",
            rich_help_panel=REGULARISATION,
        ),
    ] = None,
    erasing: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Of the pictures, lose a rectangle.", rich_help_panel=REGULARISATION),
    ] = None,
    mixing: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Of the batches, go through MixUp or CutMix.", rich_help_panel=REGULARISATION
        ),
    ] = None,
    growth: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Small pictures first: 0:0.5,0.3:1 begins at half of the side and goes on at all of it "
            "from 30 % of the epochs; 0:1 is always all of it.",
            rich_help_panel=REGULARISATION,
        ),
    ] = None,
    flip_average: Annotated[
        bool | None,
        typer.Option(
            "--flip-average/--no-flip-average",
            metavar=FLAG,
            help="Answer with the mean over a picture and its mirror image.",
            rich_help_panel=ANSWERING,
        ),
    ] = None,
    device: Device = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Processes that prepare pictures; 0: none besides this one.",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard", metavar=FLAG, help="Write TensorBoard's files into the run too.", rich_help_panel=RUNNING
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier on your pictures and leave a run folder with its weights, figures and report.

    With --minutes everything that is not given by hand is fitted to that time and printed. What was left out of the
    data and why, the figures of every epoch, and the test accuracy with its interval are told as it goes on.
    """
    if minutes is not None and epochs is not None:
        raise CorollaError("--minutes and --epochs were both given; give the time or the epochs, not both")
    refuse_infinite(
        minutes=minutes,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
    )
    parsed_growth = None if growth is None else parse_growth(growth)

    from corolla.progress import progress_for
    from corolla.training.train import train

    try:
        with progress_for(quiet) as progress:
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
                tensorboard=tensorboard,
                progress=progress,
                epochs=epochs,
                model=model,
                image_size=image_size,
                optimiser=optimiser,
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                warmup=warmup,
                batch_size=batch_size,
                accumulate=accumulate,
                clip_norm=clip_norm,
                average_decay=average_decay,
                patience=patience,
                label_smoothing=label_smoothing,
                drop_path=drop_path,
                class_weights=class_weights,
                crop_scale=crop_scale,
                policy=policy,
                erasing=erasing,
                mixing=mixing,
                growth=parsed_growth,
                flip_average=flip_average,
            )
    except KeyboardInterrupt:
        raise Interrupted(how_to_resume(data, out, seed)) from None


def refuse_infinite(**values: float | None) -> None:
    """`CorollaError` for `nan` and `inf`, which a number option would take."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise CorollaError(f"--{name.replace('_', '-')} is {value}; it should be an ordinary number")


def parse_growth(text: str) -> tuple[tuple[float, float], ...]:
    """From `0:0.5,0.3:1` to ((0.0, 0.5), (0.3, 1.0)): from which share of the epochs, which share of the side."""
    try:
        parts = tuple((float(start), float(share)) for start, share in (part.split(":") for part in text.split(",")))
    except ValueError:
        parts = ()
    starts = [start for start, _ in parts]
    good = starts[:1] == [0.0] and all(a < b for a, b in zip(starts, [*starts[1:], 1.0], strict=True))
    if not good or not all(0 < share <= 1 for _, share in parts):
        raise CorollaError(
            f"--growth is {text!r}; write START:SHARE pairs with rising starts from 0 to below 1 and shares above 0 "
            "and up to 1, such as 0:0.5,0.3:0.75,0.65:1"
        )
    return parts


def how_to_resume(data: str, out: Path, seed: int) -> str:
    """What is kept of an interrupted training, and the command that goes on with it."""
    from corolla.run import Run

    run = Run(out)
    if not run.config_file.is_file():
        return "stopped before the training began; nothing was kept"
    words = ["corolla", "train", data, "--out", str(out), *(["--seed", str(seed)] if seed else []), "--resume"]
    line = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    if run.checkpoint.is_file():
        kept = "and kept up to its last whole epoch"
    else:
        kept = "after its last epoch" if run.weights.is_file() else "before its first epoch ended"
    return f"stopped {kept}; go on with: {line}"
