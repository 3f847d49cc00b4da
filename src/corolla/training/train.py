"""From data to a finished run folder: the whole of `corolla train` as one function."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from corolla import __version__
from corolla.data.layout import ClassFolders
from corolla.data.manifest import SPLITS, Manifest
from corolla.data.sources import Duplicates
from corolla.errors import CorollaError
from corolla.lock import locked
from corolla.paths import AnyPath, at, word
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.training import clock
from corolla.training.budget import Plan
from corolla.training.checkpoint import CHECKPOINT_SECONDS
from corolla.training.compiling import Compiling, choose_compiling, compile_blocks
from corolla.training.finishing import finish
from corolla.training.preflight import check_tensorboard
from corolla.training.preparing import Start, fit_teacher_of, keeping, key_of_teacher, plan_of, read_start
from corolla.training.recipe import Recipe, RecipeOverrides
from corolla.training.replanning import TimeBudget
from corolla.training.resuming import TrainArguments
from corolla.training.runtime import Runtime, choose_device, hardware, usual_workers
from corolla.training.stopping import GracefulShutdown, Watched
from corolla.training.summary import describe_computing, warn_before
from corolla.training.teachers import FittedTeacher, save_teacher
from corolla.training.trainer import Trainer

if TYPE_CHECKING:
    from typing_extensions import Unpack

SHARED_DISK = 60.0  # seconds that a shared disk may take to show another machine's files
PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def train(
    data: AnyPath,
    out: AnyPath,
    *,
    recipe: str | None = None,
    minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    strict: bool = False,
    device: str | None = None,
    workers: int | None = None,
    fsdp: bool = False,
    checkpoint_minutes: float = CHECKPOINT_SECONDS / 60,
    tensorboard: bool = False,
    class_folders: ClassFolders = "",
    duplicates: Duplicates = "",
    progress: Progress | None = None,
    started: float | None = None,
    **overrides: "Unpack[RecipeOverrides]",
) -> Run:
    """Train a classifier on `data` and write a run folder at `out`.

    The recipe is `distill` if `overrides` have a teacher, `finetune` if they have weights, else `scratch`.
    `minutes` fits epochs, model and image size to the time of the whole call, from the first image read to the
    report (counted from `started`, a `time.monotonic()`, if that is given). The number of epochs is adjusted if the
    machine becomes slower or faster during the training. `overrides` set any field of `Recipe`; values set there are
    never adjusted. `resume` continues an interrupted run from its last checkpoint, with the same final weights as
    without the interruption. Checkpoints are written between epochs as often as they cost little, and at least every
    `checkpoint_minutes`. The metrics of the test split, if there is one, are in the run's report. `class_folders` and
    `duplicates` control how `data` is read, as in `corolla.data.sources.load_data`.

    If a launcher such as `torchrun` starts several processes, they share each batch, and the result is the same as
    with one process; with `fsdp` the model is sharded too. Only the main process writes.

    Raises `CorollaError` for errors that the user can fix, and `Stopped`, a `KeyboardInterrupt`, after Ctrl-C or
    SIGTERM.
    """
    started = clock.now() if started is None else started
    watch = clock.Stopwatch(started)
    machine = Runtime(device or choose_device(), usual_workers() if workers is None else workers, fsdp)
    processes = machine.processes
    progress = progress if progress and processes.main else Progress()
    changes: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    # A recipe is text, as the run keeps it.
    changes |= {name: word(changes[name]) for name in ("weights", "teacher") if name in changes}
    data, run = word(data) if isinstance(data, str) else at(data), Run(at(out))  # no Path is the word flowers
    asked = TrainArguments(data, recipe, minutes, seed, changes, class_folders, duplicates)
    locking = locked(run.folder, "training", progress.note) if processes.main else nullcontext()
    with GracefulShutdown() as stop, locking, ExitStack() as stopping:
        progress = Watched(progress, stop)
        # 1. The recipe and the data, of the run to resume or of these arguments
        start = read_start(asked, run, resume, strict, processes, progress)
        watch.lap("reading")
        if start.config and start.config.training.get("finished"):
            return finish_again(run, start, machine, progress, watch, started)
        # 2. The teacher and the time budget, which decide the rest of the recipe
        taught = fit_teacher_of(start, asked, run, resume, machine, progress) if start.recipe.teacher else None
        if taught:
            watch.lap("teacher")
            if not start.config and processes.main:
                stopping.push(keeping(taught, run, key_of_teacher(start, asked)))
        plan = plan_of(start, asked, machine, taught, started, progress)
        trained, teacher = plan.recipe if plan else start.recipe, taught.teacher if taught else None
        if not start.config and trained.epochs:
            warn_before(trained, start.manifest, minutes, taught, progress)
        trainer = Trainer(
            start.manifest, trained, seed=seed, machine=machine, progress=progress, teacher=teacher,
            weights=start.weights,
        )  # fmt: skip
        config = start.config or write_first(run, asked, start.manifest, trained, trainer, taught, plan)
        see_from_everywhere(run, processes)
        describe_computing(config, trained, machine, progress)
        if Compiling.of_run(config.training).wanted:
            compile_blocks(trainer.model)
        watch.lap("measuring")
        # 3. The training
        budget = TimeBudget(started + minutes * 60, minutes * 60, plan, trainer.images) if plan and minutes else None
        with board(run, tensorboard and processes.main) as tell:
            trainer.fit(
                run, f"{start.manifest.digest} {seed} {sorted(trained.to_json().items())}", resume=resume, tell=tell,
                checkpoint_seconds=checkpoint_minutes * 60, budget=budget, stop=stop, started=started,
            )  # fmt: skip
        watch.lap("training")
        if processes.main:
            run.save_config(finished(config, run, trainer, taught))
        since = started - trainer.watch.earlier
        del trainer, teacher, taught  # their memory
        # 4. Calibration, evaluation, report and model card
        finish(run, start.manifest, machine, progress, watch, since)
        return run


def finish_again(
    run: Run, start: Start, machine: Runtime, progress: Progress, watch: clock.Stopwatch, started: float
) -> Run:
    """Write the report and the model card of a finished run again."""
    assert start.config is not None
    training = start.config.training
    progress.note(f"{run.folder} is finished; its report and model card are written again")
    # Stopped since its last epoch, it is concluded now; else there is nothing new to say of its minutes.
    concluded = "verdict" in training or "asked" not in training
    since = None if concluded else started - training.get("minutes", 0.0) * 60
    finish(run, start.manifest, machine, progress, watch, since)
    return run


def finished(config: Config, run: Run, trainer: Trainer, taught: FittedTeacher | None) -> Config:
    """The config of a run after its last epoch."""
    position, rows = trainer.position, run.history()
    steps, validating = (sum(row.get(name, 0.0) for row in rows) for name in ("step_seconds", "validation_seconds"))
    done: dict[str, Any] = {
        "finished": True,
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "minutes": trainer.watch.spent() / 60,
        "epochs": position.epochs_done,
        "overhead": 1 - steps / max(position.seconds - validating, 1e-9) if steps else 0.0,
        "best_epoch": position.best_epoch,
        "best_val_accuracy": position.best_accuracy,
    }
    if taught and trainer.manifest.split("test"):
        done["teacher"] = config.training["teacher"] | {"test_accuracy": taught.accuracy("test")}
    return replace(config, training=config.training | done)


def measure_compiling(trainer: Trainer) -> Compiling:
    """Whether compiling the model pays for itself in this training."""
    recipe, processes = trainer.recipe, trainer.processes
    if not recipe.epochs:
        return Compiling(False, "only a head is fitted")
    trainer.progress.stage("measuring compiled code", 0, 1)
    own, sizes = len(processes.shard_range(trainer.feed.batch_size)), len(recipe.progressive_resizing)
    steps = max(round(recipe.length * trainer.steps_per_epoch), 1)
    chosen = choose_compiling(trainer.model, trainer.precision, recipe.image_size, own, steps, sizes, processes)
    trainer.progress.stage("measuring compiled code", 1, 1)
    return chosen


def write_first(
    run: Run,
    asked: TrainArguments,
    manifest: Manifest,
    recipe: Recipe,
    trainer: Trainer,
    taught: FittedTeacher | None,
    plan: Plan | None,
) -> Config:
    """Write what is known before the first epoch; where that fails or is stopped, nothing of it is left."""
    config = first_config(recipe, manifest, asked.data, asked.seed, trainer, measure_compiling(trainer))
    config.training["asked"] = asked.to_json()
    if taught:
        config.training["teacher"] = taught.facts
    if plan:
        config.training["calibration_passes"] = plan.calibration
    if not trainer.processes.main:
        return config
    try:
        manifest.save(run.manifest_file)
        if taught:
            save_teacher(taught.teacher, run.teacher)
        run.save_config(config)  # the last: one that is there has its teacher
    except BaseException:
        for file in (run.config_file, run.teacher, run.manifest_file):
            file.unlink(missing_ok=True)
        raise
    return config


def see_from_everywhere(run: Run, processes: Processes) -> None:
    """`CorollaError` on a machine that cannot see the run folder of the main process."""
    processes.barrier()
    begun = time.monotonic()
    while not run.config_file.is_file():
        if time.monotonic() - begun > SHARED_DISK:
            raise CorollaError(
                f"{run.folder} cannot be seen from {platform.node()}; put --out on a disk that all machines share"
            )
        time.sleep(0.5)


def first_config(
    recipe: Recipe, manifest: Manifest, data: AnyPath, seed: int, trainer: Trainer, compiling: Compiling
) -> Config:
    """The config of the run before its first epoch."""
    model, device = trainer.average.model, trainer.accelerator.device
    return Config(
        model=recipe.model,
        architecture=model.config,
        classes=manifest.classes,
        preprocessing=trainer.preprocessing,
        recipe=recipe.to_json(),
        data={
            "source": str(data),
            "root": str(manifest.root.resolve()),
            "digest": manifest.digest,
            "counts": {name: manifest.counts(name) for name in SPLITS},
            "skipped": [skipped.to_json() for skipped in manifest.skipped],
            "stream": manifest.stream.origin if manifest.stream else None,
            "drawn": list(manifest.drawn),
            "notes": list(manifest.notes),
        },
        versions={"corolla": __version__, "python": platform.python_version()} | {n: version(n) for n in PACKAGES},
        training={
            "seed": seed,
            "device": str(device),
            "precision": trainer.precision.mixed,
            "compiled": compiling.wanted,  # saved, because a resumed training must compute in the same way
            "compiled_reason": compiling.reason,
            "hardware": hardware(device),
            "processes": trainer.processes.count,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
    )


@contextmanager
def board(run: Run, wanted: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes each epoch's row to TensorBoard's files in the run, or does nothing."""
    if not wanted:
        yield lambda row: None
        return
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run.folder / "tensorboard")) as writer:

        def tell(row: dict[str, Any]) -> None:
            for name, value in row.items():
                if name not in ("epoch", "epochs", "best"):
                    writer.add_scalar(name, value, row["epoch"])

        yield tell
