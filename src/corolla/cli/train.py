"""`corolla train`: the options are the keywords of `corolla.train`, grouped for reading."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from corolla.cli import recipe_options
from corolla.cli.failures import Interrupted
from corolla.cli.naming import called, fresh
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
from corolla.cli.repeating import shell_line, words_of
from corolla.cli.usual import usual
from corolla.errors import CorollaError
from corolla.training.recipe import Recipe
from corolla.training.values import growth_of

EXAMPLES = (
    "Examples:\n"
    "corolla train photos/ --out runs/mine --minutes 30\n"
    "corolla train splits.csv --out runs/ti --model vit_tiny_patch16_224 --epochs 99\n"
    "corolla train photos/ --out runs/mine --weights vit_small_patch16_224.augreg_in21k\n"
    "corolla train photos/ --out runs/mine --teacher efficientnet-lite0 --minutes 45\n"
    "corolla train photos/ --out runs/mine --resume"
)


def command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder of pictures for each class, with or without train/ val/ test/ above them; "
            "a table (CSV, TSV, text or Parquet) with the columns path and label; a zip of either; "
            "shards: a folder of `corolla data shard`, WebDataset tars (a folder, or a pattern such as "
            "'train-{000..099}.tar'), or Parquet or Arrow files of Hugging Face datasets; "
            "or one of the words flowers (real photographs, downloaded) and painted (made on the spot).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The run folder to make.",
            show_default="runs/NAME after the data, or else NAME-2, …; with --resume runs/NAME",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="scratch, probe, finetune or distill; by default what the other options need."
        ),
    ] = None,
    weights: recipe_options.Weights = None,
    head: recipe_options.Head = None,
    train_blocks: recipe_options.TrainBlocks = None,
    lora_rank: recipe_options.LoraRank = None,
    layer_decay: recipe_options.LayerDecay = None,
    teacher: recipe_options.Teacher = None,
    teacher_epochs: recipe_options.TeacherEpochs = None,
    distillation: recipe_options.Distillation = None,
    distill_share: recipe_options.DistillShare = None,
    distill_token: recipe_options.DistillToken = None,
    temperature: recipe_options.Temperature = None,
    guidance: recipe_options.Guidance = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            min=0.01,
            help="Fit model, picture size and epochs to so many minutes on this machine.",
            show_default="the recipe's epochs",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Passes over the pictures, instead of --minutes.", show_default=usual("epochs")
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Such as vit_tiny_patch16_224; `corolla summary NAME` shows it.",
            show_default=usual("model"),
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            min=1,
            help="Side of the square pictures the model sees, in pixels.",
            show_default=f"{usual('image_size')}; or that of --model or --weights",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the split, the weights and the augmentation.")] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar=FLAG, help="Go on with an interrupted run where its last checkpoint was written."
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar=FLAG, help="Stop at the first unusable picture instead of leaving it out."),
    ] = False,
    class_folders: ClassFolders = None,
    duplicates: Duplicates = None,
    optimiser: recipe_options.OptimiserName = None,
    learning_rate: recipe_options.LearningRate = None,
    weight_decay: recipe_options.WeightDecay = None,
    warmup: recipe_options.Warmup = None,
    batch_size: recipe_options.BatchSize = None,
    accumulate: recipe_options.Accumulate = None,
    clip_norm: recipe_options.ClipNorm = None,
    average_decay: recipe_options.AverageDecay = None,
    last_epoch: recipe_options.LastEpoch = None,
    validations: recipe_options.Validations = None,
    patience: recipe_options.Patience = None,
    label_smoothing: recipe_options.LabelSmoothing = None,
    drop_path: recipe_options.DropPath = None,
    class_weights: recipe_options.ClassWeighting = None,
    crop_scale: recipe_options.CropScale = None,
    policy: recipe_options.PolicyName = None,
    erasing: recipe_options.Erasing = None,
    mixing: recipe_options.Mixing = None,
    growth: recipe_options.Growth = None,
    flip_average: recipe_options.FlipAverage = None,
    device: Device = None,
    workers: Workers = None,
    fsdp: Annotated[
        bool,
        typer.Option(
            "--fsdp",
            metavar=FLAG,
            help="Under torchrun, share out the model too and not only the batches, for one too large for a process.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    checkpoint_minutes: Annotated[
        float,
        typer.Option(
            metavar="M",
            min=0.0,
            help="Keep the state every M minutes; between epochs it is kept more often where that costs little.",
            rich_help_panel=RUNNING,
        ),
    ] = 5.0,
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

    Ctrl-C ends it, after the step it is in, with everything kept, and prints the command that goes on with it; a second
    Ctrl-C ends it at once.

    Several processes share each batch where torchrun starts it, as in `torchrun --nproc-per-node 4 -m corolla train …`;
    --batch-size is then that of all of them together, and the run is the one that a single process would have left.
    """
    out = out or unnamed(data, resume)
    given, started = dict(locals()), time.monotonic()
    if minutes is not None and epochs is not None:
        raise CorollaError("--minutes and --epochs were both given; give the time or the epochs, not both")
    refuse_infinite(
        minutes=minutes,
        checkpoint_minutes=checkpoint_minutes,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        temperature=temperature,
        guidance=guidance,
    )
    changes = {field.name: given[field.name] for field in fields(Recipe) if field.name in given}
    changes["growth"] = None if growth is None else parse_growth(growth)

    check_device(device)
    with resumable(given):
        from corolla.progress import progress_for
        from corolla.training.beforehand import refuse

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
    """The run folder where --out names none; of several processes none could know which the others take."""
    from corolla.processes import several_wanted

    if several_wanted():
        raise CorollaError("several processes need one run folder: give it with --out")
    place = Path("runs") / called(data)
    return place if resume else fresh(place)


def parse_growth(text: str) -> tuple[tuple[float, float], ...]:
    """From `0:0.5,0.3:1` to ((0.0, 0.5), (0.3, 1.0)): from which share of the epochs, which share of the side."""
    try:
        return growth_of("--growth", [[float(number) for number in part.split(":")] for part in text.split(",")])
    except (ValueError, CorollaError):
        raise CorollaError(
            f"--growth is {text!r}; write START:SHARE pairs with rising starts from 0 to below 1 and shares above 0 "
            "and up to 1, such as 0:0.5,0.3:0.75,0.65:1"
        ) from None


@contextmanager
def resumable(given: Mapping[str, Any]) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM end a training, whose `command` was `given` these values, in one line."""
    from corolla.training.stopping import Stop

    try:
        with Stop():
            yield
    except KeyboardInterrupt as interrupt:
        kept = what_is_kept(given["out"], getattr(interrupt, "at_once", True))
        raise Interrupted(f"{kept}; {how_to_resume(given)}", getattr(interrupt, "by", signal.SIGINT)) from None


def what_is_kept(out: Path, at_once: bool = False) -> str:
    """What there is of a training that was stopped; `at_once`: without finishing the step it was in."""
    if "corolla.run" not in sys.modules:  # the libraries were being loaded, and must not be loaded once more
        return "stopped before anything began"
    from corolla.run import Run

    run = Run(out)
    if not run.config_file.is_file():
        return "stopped before the training began; what it has read and computed is remembered"
    if run.finished():
        return "stopped and kept"
    if not run.checkpoint.is_file():
        return "stopped before its first checkpoint; data and recipe are kept"
    return "stopped at once; its last checkpoint is kept" if at_once else "stopped and kept"


def how_to_resume(given: Mapping[str, Any]) -> str:
    """The whole command that goes on with a training whose `command` was `given` these values."""
    from corolla.processes import several_wanted

    line = shell_line(["corolla", "train", *words_of(command, given, ["resume"]), "--resume"])
    return f"go on{' by the same launcher' if several_wanted() else ''} with: {line}"
