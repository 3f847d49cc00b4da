"""The facts about a run as texts, for the report and the model card.

`config.json` may come from anybody, so every value is checked before use, and missing ones are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from corolla.data.manifest import SPLITS, Skipped
from corolla.evaluation.facts import began_with
from corolla.evaluation.metrics import Evaluation
from corolla.recipe_parts import takes_part
from corolla.report import words
from corolla.text import FEW

if TYPE_CHECKING:
    from corolla.run import Config

SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test", "all": ""}


@dataclass(frozen=True)
class Counts:
    """Images by class (rows) and split (columns)."""

    splits: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]  # a class and its images in each split

    @property
    def totals(self) -> tuple[int, ...]:
        """The images of each split."""
        return tuple(sum(row[column] for _, row in self.rows) for column in range(len(self.splits)))


def counts(config: "Config") -> Counts | None:
    """The table of images, or None if the run has none."""
    said = config.data.get("counts")
    if not isinstance(said, dict):
        return None
    splits = tuple(name for name in SPLITS if isinstance(said.get(name), dict))
    rows = tuple(
        (label, tuple(int(words.number(said[split].get(label)) or 0) for split in splits)) for label in config.classes
    )
    return Counts(splits, rows) if splits else None


def skipped(config: "Config") -> tuple[Skipped, ...]:
    """What was left out and why."""
    said = config.data.get("skipped")
    rows = said if isinstance(said, list) else []
    return tuple(
        Skipped(str(row[0]), str(row[1]), count=int(words.number(row[2]) or 1) if len(row) > 2 else 1)
        for row in rows
        if isinstance(row, list | tuple) and len(row) in (2, 3)
    )


def notes(config: "Config") -> tuple[str, ...]:
    """Notes about how the data was read."""
    said = config.data.get("notes")
    return tuple(map(str, said)) if isinstance(said, list) else ()


def source_name(config: "Config") -> str:
    """The end of the data's path: enough to recognize it, without private folders."""
    place = PurePath(str(config.data.get("source", "")).replace("\\", "/"))
    return "/".join(place.parts[-2:] if place.suffix else place.parts[-1:]) or "unknown"


def training(config: "Config") -> list[tuple[str, str]]:
    """Terms and texts of the training: model, recipe, time, hardware and so on."""
    shape, said = config.architecture, config.training
    rows, columns = config.preprocessing.image_size
    best, of = words.whole(said.get("best_epoch")), words.whole(config.recipe.get("epochs"))
    facts = [
        ("Model", config.model),
        ("Parameters", words.parameters(said.get("parameters"))),
        (
            "Architecture",
            f"{words.count(shape.depth, 'block')} of width {shape.embed_dim}, {words.count(shape.num_heads, 'head')}",
        ),
        (
            "Input",
            f"{columns}{words.SPACE}×{words.SPACE}{rows} pixels, {words.count(tokens(config), 'patch', 'patches')}",
        ),
        ("Recipe", text(config.recipe.get("name"))),
        ("Trained for", words.duration(said.get("minutes"))),
        ("Initial weights", began_with(config) or "random weights"),
        *teacher(said.get("teacher")),
        (
            "Best epoch",
            "none: only a head was fitted" if of == "0" else best if of == words.NONE else f"{best} of {of}",
        ),
        ("Best validation", words.percent(said.get("best_val_accuracy"))),
        ("Hardware", text(said.get("hardware"))),
        (
            "Device",
            ", ".join(t for t in (text(said.get("device")), numbers_of(said.get("precision"))) if t != words.NONE),
        ),
        ("Seed", text(said.get("seed"))),
        ("Versions", ", ".join(f"{name} {version}" for name, version in config.versions.items())),
    ]
    return [(term, value) for term, value in facts if value and not value.startswith(words.NONE)]


def tokens(config: "Config") -> int:
    """The number of patches per image."""
    side = config.architecture.patch_size
    rows, columns = config.preprocessing.image_size
    return (rows // side) * (columns // side)


def teacher(said: Any) -> list[tuple[str, str]]:
    """The teacher of a distillation and its accuracy."""
    if not isinstance(said, dict):
        return []
    figures = [
        f"{what} {words.percent(said[key])}"
        for key, what in (("val_accuracy", "validation"), ("test_accuracy", "test"))
        if key in said
    ]
    return [("Teacher", ", ".join([PurePath(text(said.get("name"))).name, *figures]))]


def verdict(config: "Config") -> str:
    """A sentence about a training that failed to learn; empty for any other training."""
    said = config.training.get("verdict")
    return f"{said[0].upper()}{said[1:]}." if isinstance(said, str) and said else ""


def recipe(config: "Config") -> list[tuple[str, str]]:
    """All values of the recipe, without those that had no effect."""
    said = config.recipe
    trained, taught = words.number(said.get("epochs")) != 0, bool(said.get("teacher"))
    always = {"name", "weights", "teacher"}
    return [
        (name, text(value))
        for name, value in said.items()
        if name in always or takes_part(name, epochs=trained, teacher=taught)
    ]


def numbers_of(mixed: Any) -> str:
    """The data type of a training, from accelerate's name of its mixed precision."""
    return {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(mixed, text(mixed))


def learning(config: "Config", history: Sequence[Mapping[str, Any]]) -> str:
    """A note on how to read the curves, or what was done if no epoch was trained; may be empty."""
    said = config.recipe
    if history and not any(words.number(row.get("epoch")) for row in history):
        return (
            "No epoch was trained: the pretrained model is unchanged, and a head was fitted to its features of each "
            "image and of its horizontal flip (logistic regression, its regularization chosen on validation images). "
            f"No augmentation. Validation accuracy: {words.percent(history[-1].get('val_accuracy'))}."
        )

    def value(name: str, otherwise: float) -> float:
        found = words.number(said.get(name))
        return otherwise if found is None else found

    done = [
        word
        for word, happened in (
            ("cropped", value("random_resized_crop_scale", 1.0) < 1),
            ("changed in color and shape", said.get("auto_augment", "none") != "none"),
            ("partly erased", value("random_erasing_prob", 0.0) > 0),
            ("mixed", value("mixup_cutmix_prob", 0.0) > 0),
        )
        if happened
    ]
    reasons = []
    if done:
        most = " and ".join(filter(None, [", ".join(done[:-1]), done[-1]]))
        reasons.append(f"Training images are {most} at random (augmentation)")
    if said.get("teacher"):
        reasons.append("their loss includes a distillation term" if done else "The loss includes a distillation term")
    return f"{', and '.join(reasons)}, so training loss can be above validation loss." if reasons else ""


def text(value: Any) -> str:
    """One value of a config as text."""
    if value is None or value == "":
        return words.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(f"({text(inner)})" if isinstance(inner, list | tuple) else text(inner) for inner in value)
    return str(value)


def measured_on(evaluation: Evaluation) -> str:
    """`546 test images`."""
    which = SPLIT_NAMES.get(evaluation.split, evaluation.split)
    return words.count(evaluation.n, f"{which} image".strip())


def chance(evaluation: Evaluation) -> tuple[str, float]:
    """The most frequent class of these images and its fraction: the accuracy of always predicting it."""
    per_class = max(evaluation.per_class, key=lambda figures: figures.n)
    return per_class.label, per_class.n / evaluation.n


def elsewhere(config: "Config", evaluation: Evaluation) -> Path | None:
    """The folder of the images, if they are not from the data of the training."""
    if evaluation.root is None or evaluation.root.resolve() == Path(str(config.data.get("root", ""))).resolve():
        return None
    return evaluation.root


def caveats(evaluation: Evaluation) -> list[str]:
    """Warnings beside the accuracy, so that nobody concludes too much from it."""
    said = []
    if evaluation.split == "train":
        said.append("These are the training images: the accuracy says nothing about new images.")
    elif evaluation.trained_on:
        said.append(
            f"{words.count(evaluation.trained_on, 'of these images was', 'of these images were')} "
            "trained on: the accuracy is too optimistic."
        )
    if evaluation.split == "val":
        said.append(
            "These images chose the best epoch, so the accuracy is slightly optimistic, unlike that of the test split."
        )
    if evaluation.split == "all":
        said.append("The data had no splits, so all of its images were used.")
    if evaluation.n < FEW:
        low, high = evaluation.interval
        said.append(
            f"{words.count(evaluation.n, 'image says', 'images say')} little: on many more the accuracy may be "
            f"{words.percent(low, 0)} or {words.percent(high, 0)}."
        )
    absent = [figures.label for figures in evaluation.per_class if figures.n == 0]
    if absent:
        said.append(f"Not evaluated, because no image here has the label: {words.listed(absent, 10)}.")
    return said
