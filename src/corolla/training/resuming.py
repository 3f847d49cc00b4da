"""Resuming: whether the arguments equal those of the interrupted training, and which images were added since."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corolla.data.layout import ClassFolders
from corolla.data.manifest import Manifest
from corolla.data.progress import Progress
from corolla.data.sources import WORDS, Duplicates, is_word, list_source
from corolla.errors import CorollaError, few
from corolla.paths import AnyPath, at
from corolla.run import Config
from corolla.training.recipe import Recipe
from corolla.training.recipe_fields import real

PLACES = ("weights", "teacher")  # fields of a recipe that may be paths


@dataclass(frozen=True)
class TrainArguments:
    """The user's arguments of a training; `changes` are the fields of the recipe that the user sets."""

    data: AnyPath
    recipe: str | None
    minutes: float | None
    seed: int
    changes: Mapping[str, Any]
    class_folders: ClassFolders = ""
    duplicates: Duplicates = ""

    def to_json(self) -> dict[str, Any]:
        """The part that a run's config stores under `asked`, in addition to recipe and seed."""
        minutes = self.minutes if self.minutes is None else real(self.minutes)
        reading = {"class_folders": self.class_folders, "duplicates": self.duplicates}
        return {"data": place_of(self.data), "recipe": self.recipe, "minutes": minutes} | reading


def recipe_of(config: Config, asked: TrainArguments) -> Recipe:
    """The recipe that an interrupted run was started with; `CorollaError` names the arguments that differ now.

    Arguments that are not given stay as they were. A run of an older corolla does not store its data and minutes.
    """
    try:
        recipe = Recipe(**config.recipe)
    except (TypeError, CorollaError) as error:
        raise CorollaError(f"the run's recipe in config.json cannot be read: {error}") from None
    wanted = recipe.changed(**asked.changes)
    had: dict[str, Any] = {}
    for name in asked.changes:
        before, now = getattr(recipe, name), getattr(wanted, name)
        if before != now and not (name in PLACES and same_place(before, now)):
            had[name] = before
    if config.training.get("seed") != asked.seed:
        had["seed"] = config.training.get("seed")
    kept = config.training.get("asked", {})
    if "data" in kept and not same_place(str(kept["data"]), place_of(asked.data)):
        had["data"] = kept["data"]
    if asked.recipe is not None and asked.recipe not in (kept.get("recipe"), recipe.name):
        had["recipe"] = recipe.name
    if "minutes" in kept and asked.minutes is not None and kept["minutes"] != asked.minutes:
        had["minutes"] = kept["minutes"]
    for name in ("class_folders", "duplicates"):
        if getattr(asked, name) and getattr(asked, name) != (before := kept.get(name, "")):
            had[name] = before or None
    if had:
        told = ", ".join(f"{name} ({'none' if had[name] is None else had[name]})" for name in sorted(had))
        raise CorollaError(
            f"this run was started with another {told}; repeat the same command and add --resume, "
            "or choose another --out"
        )
    return recipe


def place_of(data: AnyPath) -> str:
    """A unique name for a source of images: its absolute path, or its keyword."""
    if is_word(data):
        return str(data)
    return os.path.realpath(at(data))


def same_place(one: str, other: str) -> bool:
    """Whether two paths mean the same file or folder, which need not exist."""
    if one == other or one in WORDS or other in WORDS:
        return one == other
    first, second = (at(path) for path in (one, other))
    try:
        return first.samefile(second)
    except OSError:
        return os.path.normcase(os.path.realpath(first)) == os.path.normcase(os.path.realpath(second))


def class_folders_of(config: Config) -> ClassFolders:
    """The `class_folders` setting for reading the run's source again."""
    found: ClassFolders = config.training.get("asked", {}).get("class_folders", "")
    return found


def added(
    data: AnyPath,
    manifest: Manifest,
    skipped: Iterable[Sequence[str]],
    class_folders: ClassFolders = "",
    progress: Progress | None = None,
) -> list[str]:
    """The images in the source of a run that are not in its manifest: they were added after it started.

    `skipped` are the images that it left out, each with its path and the reason.
    Shards are not checked: their names do not say which images they contain.
    """
    if manifest.stream is not None:
        return []
    try:
        listing = list_source(data, progress, class_folders=class_folders)
    except (CorollaError, OSError):
        return []  # a check of the images themselves reports what is missing or damaged
    known = {example.path for example in manifest.examples} | {path for path, *_ in skipped}
    return sorted(example.path for example in listing.examples if example.path not in known)


def told_of(names: list[str], data: AnyPath) -> str:
    """The line about images that were added after the training started."""
    one = len(names) == 1
    return (
        f"{len(names)} {'image was' if one else 'images were'} added to {data} since this training started and "
        f"{'is' if one else 'are'} not trained on: {few(names)}"
    )
