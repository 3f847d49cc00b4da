"""Checks of a training's arguments before it starts: all that need no torch, in well under a second.

`train` makes the same checks with the same functions. They run here first because loading torch takes seconds.
"""

from importlib.util import find_spec
from typing import Any

from corolla import lock
from corolla.data.layout import ClassFolders
from corolla.data.sources import Duplicates, refuse_untrainable
from corolla.errors import CorollaError
from corolla.features.names import check_backbone
from corolla.lock import locked
from corolla.models.config import ViTConfig
from corolla.models.names import vit_config
from corolla.paths import AnyPath, at
from corolla.processes import is_distributed
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.training.recipe import Recipe
from corolla.training.resolving import refuse_second_model, resolve_recipe
from corolla.training.resuming import TrainArguments, recipe_of
from corolla.weights.fetching import found


def refuse(
    data: AnyPath,
    out: AnyPath,
    changes: dict[str, Any],
    *,
    recipe: str | None = None,
    minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    tensorboard: bool = False,
    class_folders: ClassFolders = "",
    duplicates: Duplicates = "",
    progress: Progress | None = None,
) -> None:
    """`CorollaError` for arguments that `train` would refuse; leaves nothing behind.

    Does nothing in processes of a launcher: only `train` knows which of them reports errors.
    """
    if is_distributed():
        return
    changes = {name: value for name, value in changes.items() if value is not None}
    run = Run(at(out))
    with locked(run.folder, "training"):
        config = run_to_resume(run, resume)
    if tensorboard:
        check_tensorboard()
    if config:
        chosen = recipe_of(config, TrainArguments(data, recipe, minutes, seed, changes, class_folders, duplicates))
    else:
        refuse_second_model(changes)
        _, chosen = resolve_recipe(recipe, changes, None)
        if not chosen.weights:
            shape_of(chosen, 2)
    if not config or not config.training.get("finished"):
        if chosen.weights:
            found(chosen.weights, progress)
        if chosen.teacher:
            check_backbone(chosen.teacher)
    if not config:
        refuse_untrainable(data, class_folders)


def run_to_resume(run: Run, resume: bool) -> Config | None:
    """The config of the run to resume, or None for a new one; `CorollaError` if a file would be overwritten."""
    if resume and run.config_file.is_file():
        return run.load_config()
    if resume and run.has_no_config_yet():
        return None
    if any(path.name != lock.NAME for path in run.folder.iterdir()):
        hint = "add --resume to resume it, or " if run.config_file.is_file() else ""
        raise CorollaError(f"{run.folder} is not empty; {hint}choose another --out (nothing was changed)")
    return None


def shape_of(recipe: Recipe, num_classes: int) -> ViTConfig:
    """The config of a model with random weights; `CorollaError` if the recipe's model and image size do not fit."""
    size = (recipe.image_size, recipe.image_size)
    changes = {"distilled": True} if recipe.distill_token else {}
    return vit_config(recipe.model, num_classes, image_size=size, drop_path=recipe.drop_path, **changes)


def check_tensorboard() -> None:
    """`CorollaError` if TensorBoard's files cannot be written."""
    if find_spec("tensorboard") is None:
        raise CorollaError("--tensorboard needs the tensorboard package: pip install 'corolla[tensorboard]'")
