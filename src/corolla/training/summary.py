"""What a training prints: the data, the model, the device and warnings about the time, then a line per epoch."""

import math
from typing import Any

from corolla.data.hints import hints
from corolla.data.manifest import SPLITS, Manifest, lines_of
from corolla.models.vit import use_eager_attention
from corolla.progress import Progress
from corolla.run import Config
from corolla.text import rate
from corolla.training.checkpoint import TrainState
from corolla.training.compiling import Compiling
from corolla.training.recipe import Recipe
from corolla.training.runtime import Runtime
from corolla.training.teachers import FittedTeacher
from corolla.training.warnings import say_before


def describe(manifest: Manifest, progress: Progress) -> None:
    """Print what the data is, and what may be wrong with it."""
    counts = ", ".join(f"{manifest.size(name)} {name}" for name in SPLITS)
    total = sum(manifest.size(name) for name in SPLITS)
    progress.note(f"{total} images of {len(manifest.classes)} classes: {counts}")
    progress.note(f"  {named(manifest)}")
    for note in manifest.notes:
        progress.note(note)
    for line in lines_of(manifest.skipped, "listed in the report"):
        progress.note(line)
    for hint in hints(manifest):
        progress.note(hint)
    most, fewest = max(manifest.counts("train").values()), min(manifest.counts("train").values())
    if most > 3 * fewest:
        progress.note(f"imbalanced classes ({fewest} to {most} training images); --class-weights balanced may help")


def named(manifest: Manifest, most: int = 10) -> str:
    """The first classes with their numbers of images, and how many more classes there are."""
    counts = [sum(manifest.counts(split)[name] for split in SPLITS) for name in manifest.classes[:most]]
    told = ", ".join(f"{name} ({count})" for name, count in zip(manifest.classes, counts, strict=False))
    more = len(manifest.classes) - most
    return told + (f", and {more} more" if more > 0 else "")


def describe_computing(config: Config, recipe: Recipe, machine: Runtime, progress: Progress) -> None:
    """Print what is trained, how it is computed, and why."""
    compiling, precision, count = Compiling.of_run(config.training), machine.precision, machine.processes.count
    patches = math.prod(config.architecture.grid((recipe.image_size, recipe.image_size)))
    written = use_eager_attention(machine.device, precision.dtype, patches, trains=True)
    model = f"{recipe.model} from {recipe.weights}" if recipe.weights else recipe.model
    said = [
        f"{model} at {recipe.image_size} px, {config.training['parameters']:,} parameters, on {machine.device}",
        f"mixed precision: {precision.mixed} ({precision.reason})",
        f"attention: {'eager' if written else 'fused'}",
        f"compiled: {'yes' if compiling.wanted else 'no'} ({compiling.reason})",
    ]
    if count > 1:
        said.append(f"{count} processes share {'the model and ' if machine.fsdp else ''}each batch")
    progress.note("; ".join(said))


def warn_before(
    recipe: Recipe, manifest: Manifest, minutes: float | None, taught: FittedTeacher | None, progress: Progress
) -> None:
    """Print a warning if the training cannot work in the given time, before that time is spent."""
    said = say_before(
        views=math.floor(recipe.length * manifest.size("train")),
        classes=len(manifest.classes),
        batch_size=recipe.batch_size,
        minutes=minutes,
        pretrained=bool(recipe.weights),
        teacher=taught.facts.get("val_accuracy") if taught else None,
    )
    if said:
        progress.note(f"WARNING: {said}")


def describe_epoch(row: dict[str, Any], position: TrainState) -> str:
    """One line about an epoch."""
    said = f"epoch {row['epoch']}/{row['epochs']}  {row['image_size']} px  loss {row['train_loss']:.3f}"
    if "val_accuracy" in row:
        said += f"  val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        said += "  best" if row["best"] else f"  best {position.best_accuracy:.1%} at {position.best_epoch}"
    return f"{said}  {rate(row['images_per_second'])} images/s  {row['seconds']:.1f} s"
