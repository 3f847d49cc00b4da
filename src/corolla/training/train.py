"""From data to a finished run folder: the whole of `corolla train` as one function."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corolla import __version__
from corolla.data.checking import refuse_changed
from corolla.data.layout import ClassFolders
from corolla.data.manifest import SPLITS, Manifest
from corolla.data.sources import Duplicates, load_data
from corolla.errors import CorollaError
from corolla.lock import locked
from corolla.memory import tune_malloc
from corolla.paths import AnyPath, at, word
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.training import clock
from corolla.training.budget import Plan
from corolla.training.compiling import Compiling, compile_blocks
from corolla.training.finishing import finish
from corolla.training.loop import CHECKPOINT_SECONDS, Loop
from corolla.training.preflight import check_tensorboard, run_to_resume
from corolla.training.recipe import Recipe
from corolla.training.replanning import TimeBudget
from corolla.training.resolving import fit_to_minutes, resolve_recipe, suited, weights_of
from corolla.training.resuming import TrainArguments, added, class_folders_of, recipe_of, told_of
from corolla.training.runtime import Runtime, choose_device, hardware, usual_workers
from corolla.training.stopping import GracefulShutdown, Watched
from corolla.training.summary import describe, describe_computing, warn_before
from corolla.training.teachers import FittedTeacher, Teacher, fit_teacher, keep_teacher, save_teacher
from corolla.training.timing import Trial
from corolla.training.trainer import Trainer
from corolla.weights import load_weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from corolla.training.overrides import RecipeOverrides

TEACHER_SHARE = 0.3  # of the minutes, at most, for fitting a teacher
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
    # The recipe stores paths as strings, like the run's config.
    changes |= {name: word(changes[name]) for name in ("weights", "teacher") if name in changes}
    data, run = word(data) if isinstance(data, str) else at(data), Run(at(out))  # a Path is never the keyword flowers
    asked = TrainArguments(data, recipe, minutes, seed, changes, class_folders, duplicates)
    locking = locked(run.folder, "training", progress.note) if processes.main else nullcontext()
    with GracefulShutdown() as stop, locking, ExitStack() as stopping:
        progress = Watched(progress, stop)
        config = processes.from_main(lambda: interrupted(run, resume))
        named = None
        if config:
            chosen, manifest = recipe_of(config, asked), processes.from_main(run.load_manifest)
            skipped = config.data.get("skipped", [])
            read = class_folders_of(config)
            if new := processes.from_main(lambda: added(data, manifest, skipped, read, progress.stage)):
                progress.note(told_of(new, data))
            processes.from_main(lambda: refuse_changed(manifest, progress.stage))
            if config.training.get("finished"):
                progress.note(f"{run.folder} is finished; its report and model card are written again")
                # If it was stopped after its last epoch, it is concluded now; otherwise its minutes stay as they are.
                concluded = "verdict" in config.training or "asked" not in config.training
                before = config.training.get("minutes", 0.0) * 60
                finish(run, manifest, machine, progress, watch, None if concluded else started - before)
                return run
            weights = load_weights(chosen.weights, progress=progress) if chosen.weights else None
        else:
            weights = weights_of(changes, progress)
            named, chosen = resolve_recipe(recipe, changes, weights)
            manifest = processes.from_main(
                lambda: load_data(
                    data,
                    seed=seed,
                    strict=strict,
                    class_folders=class_folders,
                    duplicates=duplicates,
                    progress=progress.stage,
                )
            )
            describe(manifest, progress)
            chosen = suited(chosen, changes, manifest)
        watch.lap("reading")
        plan: Plan | None = None
        taught: FittedTeacher | None = None
        teacher: Teacher | None = None
        if chosen.teacher:
            tune_malloc()
            file = run.teacher if resume else None
            as_asked = "" if config else f"{manifest.digest} {seed} {minutes} {sorted(chosen.to_json().items())}"
            limit = None if minutes is None else TEACHER_SHARE * minutes * 60
            taught = fit_teacher(
                manifest, chosen, machine, seed=seed, seconds=limit, kept=file, key=as_asked, progress=progress
            )
            teacher = taught.teacher
            if not config and processes.main:
                stopping.push(keeping(taught, run, as_asked))
            watch.lap("teacher")
        if named and minutes is not None and "epochs" not in changes and chosen.epochs:
            trial = Trial(manifest, machine, progress, minutes, teacher, weights)
            beside = processes.broadcast_object(taught.cost().both) if taught else 0.0
            plan = fit_to_minutes(
                named, chosen, changes, minutes, weights, manifest, trial, processes, progress, started, beside
            )
            chosen = plan.recipe
            del trial
        if not config and chosen.epochs:
            warn_before(chosen, manifest, minutes, taught, progress)
        trainer = Trainer(
            manifest, chosen, seed=seed, machine=machine, progress=progress, teacher=teacher, weights=weights
        )
        if not config:
            config = first_config(chosen, manifest, data, seed, trainer, trainer.choose_compiling())
            config.training["asked"] = asked.to_json()
            if taught:
                config.training["teacher"] = taught.facts
            if plan:
                config.training["calibration_passes"] = plan.calibration
            if processes.main:
                write_first(run, config, manifest, teacher)
        see_from_everywhere(run, processes)
        compiling = Compiling.of_run(config.training)
        describe_computing(config, chosen, trainer, machine, progress)
        if compiling.wanted:
            compile_blocks(trainer.model)
        watch.lap("measuring")
        budget = None
        if plan and minutes is not None:
            an_epoch = len(trainer.feed) * trainer.feed.batch_size
            budget = TimeBudget(started + minutes * 60, minutes * 60, plan, an_epoch)
        key = f"{manifest.digest} {seed} {sorted(chosen.to_json().items())}"
        with board(run, tensorboard and processes.main) as tell:
            loop = Loop(trainer, run, key, tell, checkpoint_minutes * 60, budget, stop, started)
            position = loop.fit(resume)
        watch.lap("training")
        rows = run.history()
        steps, validating = (sum(row.get(name, 0.0) for row in rows) for name in ("step_seconds", "validation_seconds"))
        done = {
            "finished": True,
            "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "minutes": loop.spent() / 60,
            "epochs": position.epochs_done,
            "overhead": 1 - steps / max(position.seconds - validating, 1e-9) if steps else 0.0,
            "best_epoch": position.best_epoch,
            "best_val_accuracy": position.best_accuracy,
        }
        if taught and manifest.split("test"):
            done["teacher"] = config.training["teacher"] | {"test_accuracy": taught.accuracy("test")}
        if processes.main:
            run.save_config(replace(config, training=config.training | done))
        since = started - loop.earlier
        del trainer, loop, teacher, taught  # their memory
        finish(run, manifest, machine, progress, watch, since)
        return run


def keeping(taught: FittedTeacher, run: Run, key: str) -> Callable[..., None]:
    """An exit callback that saves a fitted teacher if the training is stopped before its config is written."""

    def keep(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt) and not run.config_file.is_file():
            keep_teacher(taught, run.teacher, key)

    return keep


def interrupted(run: Run, resume: bool) -> Config | None:
    """The config of the run to resume, or None for a new one; refuses to overwrite files."""
    config = run_to_resume(run, resume)
    if config:
        run.sweep()
    return config


def write_first(run: Run, config: Config, manifest: Manifest, teacher: Teacher | None) -> None:
    """Write the files that are known before the first epoch; if that fails or is stopped, delete them all."""
    try:
        manifest.save(run.manifest_file)
        if teacher:
            save_teacher(teacher, run.teacher)
        run.save_config(config)  # last, so that a run with a config also has its teacher
    except BaseException:
        for file in (run.config_file, run.teacher, run.manifest_file):
            file.unlink(missing_ok=True)
        raise


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
    recipe: Recipe, manifest: Manifest, data: str | Path, seed: int, trainer: Trainer, compiling: Compiling
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
