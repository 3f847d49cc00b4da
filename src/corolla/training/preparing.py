"""Before a training: its recipe and data, its teacher, and what fits into its minutes."""

from collections.abc import Callable
from dataclasses import dataclass

from corolla.data.checking import refuse_changed
from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.host import tune_malloc
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.training.budget import Plan
from corolla.training.preflight import run_to_resume
from corolla.training.recipe import Recipe
from corolla.training.recipes import NamedRecipe
from corolla.training.resolving import fit_to_minutes, resolve_recipe, suited, weights_of
from corolla.training.resuming import TrainArguments, added, class_folders_of, recipe_of, told_of
from corolla.training.runtime import Runtime
from corolla.training.summary import describe
from corolla.training.teachers import FittedTeacher, fit_teacher, keep_teacher
from corolla.training.timing import Trial
from corolla.weights import Weights, load_weights

TEACHER_SHARE = 0.3  # of the minutes, at most, for fitting a teacher


@dataclass(frozen=True)
class Start:
    """The recipe and the data of a training; `config` and no `named` recipe if an interrupted run is resumed."""

    config: Config | None
    named: NamedRecipe | None
    recipe: Recipe
    manifest: Manifest
    weights: Weights | None


def read_start(
    asked: TrainArguments, run: Run, resume: bool, strict: bool, processes: Processes, progress: Progress
) -> Start:
    """Resolve the recipe and read the data; with several processes, the main one reads."""
    config = processes.from_main(lambda: interrupted(run, resume))
    if config:
        recipe, manifest = recipe_of(config, asked), processes.from_main(run.load_manifest)
        skipped, folders = config.data.get("skipped", []), class_folders_of(config)
        if new := processes.from_main(lambda: added(asked.data, manifest, skipped, folders, progress.stage)):
            progress.note(told_of(new, asked.data))
        processes.from_main(lambda: refuse_changed(manifest, progress.stage))
        unfinished = not config.training.get("finished")
        weights = load_weights(recipe.weights, progress=progress) if recipe.weights and unfinished else None
        return Start(config, None, recipe, manifest, weights)
    weights = weights_of(dict(asked.changes), progress)
    named, recipe = resolve_recipe(asked.recipe, dict(asked.changes), weights)
    manifest = processes.from_main(
        lambda: load_data(
            asked.data, seed=asked.seed, strict=strict, class_folders=asked.class_folders,
            duplicates=asked.duplicates, progress=progress.stage,
        )
    )  # fmt: skip
    describe(manifest, progress)
    return Start(None, named, suited(recipe, dict(asked.changes), manifest), manifest, weights)


def key_of_teacher(start: Start, asked: TrainArguments) -> str:
    """What a fitted teacher depends on, until its run has a config."""
    return f"{start.manifest.digest} {asked.seed} {asked.minutes} {sorted(start.recipe.to_json().items())}"


def fit_teacher_of(
    start: Start, asked: TrainArguments, run: Run, resume: bool, machine: Runtime, progress: Progress
) -> FittedTeacher:
    """The fitted teacher of the recipe: from the run that is resumed, or fitted within its share of the minutes."""
    tune_malloc()
    return fit_teacher(
        start.manifest, start.recipe, machine,
        seed=asked.seed,
        seconds=None if asked.minutes is None else TEACHER_SHARE * asked.minutes * 60,
        kept=run.teacher if resume else None,
        key="" if start.config else key_of_teacher(start, asked),
        progress=progress,
    )  # fmt: skip


def plan_of(
    start: Start,
    asked: TrainArguments,
    machine: Runtime,
    taught: FittedTeacher | None,
    started: float,
    progress: Progress,
) -> Plan | None:
    """The recipe fitted to the minutes, measured on this machine; None where they leave nothing open."""
    minutes, processes = asked.minutes, machine.processes
    if start.named is None or minutes is None or "epochs" in asked.changes or not start.recipe.epochs:
        return None
    trial = Trial(start.manifest, machine, progress, minutes, taught.teacher if taught else None, start.weights)
    beside = processes.broadcast_object(taught.cost().both) if taught else 0.0
    return fit_to_minutes(
        start.named, start.recipe, dict(asked.changes), minutes, start.weights, start.manifest, trial, processes,
        progress, started, beside,
    )  # fmt: skip


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
