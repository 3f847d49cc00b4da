"""From data to a finished run folder: the whole of `corolla train` as one function."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from corolla import __version__
from corolla.classifier import Classifier
from corolla.data.manifest import SPLITS, Manifest
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.evaluation.evaluate import evaluate_split
from corolla.progress import Progress
from corolla.report.card import write_card
from corolla.report.curves import draw_curves
from corolla.report.page import write_report
from corolla.run import Config, Run
from corolla.sizes import vit_config
from corolla.training.budget import Rung, plan
from corolla.training.loop import Trainer, choose_device, usual_workers
from corolla.training.recipe import Recipe
from corolla.training.recipes import named_recipe
from corolla.training.trial import StepTimer

PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def train(
    data: str | Path,
    out: str | Path,
    *,
    recipe: str = "scratch",
    minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    strict: bool = False,
    device: str | None = None,
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Progress | None = None,
    **changes: Any,
) -> Run:
    """Train a classifier on `data` and leave a run folder at `out`.

    `minutes` fits epochs, model and picture size to the time; `changes` sets any field of `Recipe` by hand, and
    what is set by hand stays. With `resume` an interrupted run goes on where its last epoch ended. The figures of
    the test split, if there is one, stand in the run's report and model card.

    Raises `CorollaError` for whatever the user can mend.
    """
    progress = progress or Progress()
    started = time.monotonic()
    run = Run(Path(out))
    changes = {name: value for name, value in changes.items() if value is not None}
    config = prepare_folder(run, resume)
    manifest = load_manifest(run, config, data, seed, strict, progress)
    device = device or choose_device()
    workers = usual_workers() if workers is None else workers
    if config:
        chosen = resumed_recipe(config, changes, seed)
    else:
        chosen = choose_recipe(recipe, changes, minutes, manifest, device, workers, seed, progress, started)
    trainer = Trainer(manifest, chosen, seed=seed, device=device, workers=workers, progress=progress)
    config = config or first_config(chosen, manifest, data, seed, trainer)
    run.folder.mkdir(parents=True, exist_ok=True)
    manifest.save(run.manifest_file)
    run.save_config(config)
    progress.note(
        f"model {chosen.model} at {chosen.image_size} px, {config.training['parameters']:,} parameters"
    )
    progress.note(f"precision {trainer.precision.mixed}: {trainer.precision.reason}; device {device}")
    key = f"{manifest.digest} {seed} {sorted(chosen.to_json().items())}"
    with board(run, tensorboard) as tell:
        position = trainer.fit(run, key, resume, tell)
    done = {
        "minutes": position.seconds / 60,
        "best_epoch": position.best_epoch,
        "best_val_accuracy": position.best_accuracy,
        "epochs_done": position.epochs_done,
    }
    run.save_config(replace(config, training=config.training | done))
    finish(run, manifest, device, progress)
    return run


def prepare_folder(run: Run, resume: bool) -> Config | None:
    """The config of the run to go on with, or None for a new one; refuses to write over anything."""
    if resume and run.config_file.is_file():
        return run.load_config()
    if run.folder.is_file():
        raise CorollaError(f"{run.folder} is a file; give --out a folder that does not exist yet")
    if run.folder.is_dir() and any(run.folder.iterdir()):
        hint = "add --resume to go on with it, or " if run.config_file.is_file() else ""
        raise CorollaError(f"{run.folder} is not empty; {hint}choose another --out (nothing was changed)")
    return None


def load_manifest(
    run: Run, config: Config | None, data: str | Path, seed: int, strict: bool, progress: Progress
) -> Manifest:
    """The pictures, split; a resumed run keeps the split it began with."""
    if config:
        return run.load_manifest()
    manifest = load_data(data, seed=seed, strict=strict, progress=progress.stage)
    counts = {name: len(manifest.split(name)) for name in SPLITS}
    progress.note(
        f"{len(manifest.examples)} pictures of {len(manifest.classes)} classes: "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
        + (f"; {len(manifest.skipped)} skipped" if manifest.skipped else "")
    )
    for skipped in manifest.skipped[:10]:
        progress.note(f"  skipped {skipped.path}: {skipped.reason}")
    if len(manifest.skipped) > 10:
        progress.note(f"  and {len(manifest.skipped) - 10} more, listed in the report")
    most, fewest = max(manifest.counts("train").values()), min(manifest.counts("train").values())
    if fewest and most > 3 * fewest:
        progress.note(
            f"the classes are uneven ({fewest} to {most} pictures); --class-weights balanced may help"
        )
    return manifest


def choose_recipe(
    name: str,
    changes: dict[str, Any],
    minutes: float | None,
    manifest: Manifest,
    device: str,
    workers: int,
    seed: int,
    progress: Progress,
    started: float,
) -> Recipe:
    """The named recipe with the user's changes, and with the rest fitted to `minutes`."""
    named = named_recipe(name)
    model, size = changes.get("model"), changes.get("image_size")
    if model is not None and size is None:  # vit_tiny_patch16_224 says its pixels
        changes["image_size"] = vit_config(model, len(manifest.classes)).image_size[0]
    chosen = named.recipe.changed(**changes)
    if minutes is None or "epochs" in changes:
        return chosen
    by_hand = model is not None or size is not None or "growth" in changes
    ladder = (Rung(chosen.model, chosen.image_size, chosen.growth, 0),) if by_hand else named.ladder
    pictures = len(manifest.split("train"))
    timer = StepTimer(len(manifest.classes), manifest, device, workers, progress, minutes)
    fitted = plan(
        minutes,
        chosen,
        ladder,
        pictures - pictures % min(chosen.batch_size, pictures),
        named.most_epochs,
        timer,
        lambda recipe: vit_config(recipe.model, 2).patch_size,
        started,
    )
    taken = fitted.recipe
    progress.note(
        f"{minutes:g} minutes: {taken.model} at {taken.image_size} px for {taken.epochs} epochs ({fitted.reason})"
    )
    return taken


def resumed_recipe(config: Config, changes: dict[str, Any], seed: int) -> Recipe:
    """The recipe a run was started with; refuses other values now."""
    values = dict(config.recipe)
    values["growth"] = tuple(tuple(part) for part in values["growth"])
    try:
        recipe = Recipe(**values)
    except TypeError as error:
        raise CorollaError(f"the run's recipe cannot be read: {error}") from None
    different = [name for name, value in changes.items() if getattr(recipe, name, None) != value]
    if config.training.get("seed") != seed:
        different.append("seed")
    if different:
        raise CorollaError(
            f"the run was started with another {', '.join(different)}; repeat it as it was, or choose another --out"
        )
    return recipe


def first_config(recipe: Recipe, manifest: Manifest, data: str | Path, seed: int, trainer: Trainer) -> Config:
    """What is known of the run before its first epoch."""
    model = trainer.average.model
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
            "skipped": [[skipped.path, skipped.reason] for skipped in manifest.skipped],
        },
        versions={"python": platform.python_version(), "corolla": __version__} | {n: version(n) for n in PACKAGES},
        training={
            "seed": seed,
            "device": str(trainer.accelerator.device),
            "precision": trainer.precision.mixed,
            "hardware": hardware(trainer.accelerator.device),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
    )


def hardware(device: torch.device) -> str:
    """What computed, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def finish(run: Run, manifest: Manifest, device: str, progress: Progress) -> None:
    """Measure the kept weights once on the test split, and write curves, report and model card."""
    draw_curves(run.history(), run.curves)
    evaluation = None
    if manifest.split("test"):
        classifier = Classifier.load(run.folder, device)
        evaluation = evaluate_split(classifier, manifest, "test", progress.stage)
        low, high = evaluation.interval
        progress.note(
            f"test accuracy {evaluation.accuracy:.1%} ({low:.1%} to {high:.1%}, {evaluation.n} pictures)"
        )
    write_report(run, evaluation, manifest)
    write_card(run, evaluation)
    progress.note(f"the run is in {run.folder}; its report is {run.report}")


@contextmanager
def board(run: Run, wanted: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Where an epoch's row goes besides `metrics.jsonl`: TensorBoard's files in the run, or nowhere."""
    if not wanted:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise CorollaError(
            "--tensorboard needs the tensorboard package: pip install 'corolla[tensorboard]'"
        ) from None
    with SummaryWriter(str(run.folder / "tensorboard")) as writer:

        def tell(row: dict[str, Any]) -> None:
            for name, value in row.items():
                if name not in ("epoch", "epochs", "best"):
                    writer.add_scalar(name, value, row["epoch"])

        yield tell
