"""Copies a run without machine-specific files, to share it or to ship it with a package."""

import shutil
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import torch

from corolla.atomic import refuse_occupied
from corolla.errors import CorollaError
from corolla.paths import AnyPath, at
from corolla.run import Run

HALF_TOLERANCE = 0.02  # of the largest output: the possible effect of 11-bit weights


def pack(folder: AnyPath, out: AnyPath, half: bool = False) -> float:
    """Copy a run's weights, config, calibration and card into the folder `out`, which should not exist or be empty.

    Leaves out its manifest and its report, which shows images, and the entries of its config with the location of
    its images and the names of skipped ones. `half` stores the weights in float16; they are read
    into float32 again. Returns the largest resulting difference of an output, relative to the largest output.
    Raises `CorollaError` for an incomplete run, and if the difference is more than half precision explains.
    """
    run, out = Run(at(folder)), at(out)
    model, config = run.load_model()  # so that no damaged run is shared
    refuse_occupied(out)
    packed = Run(out)
    packed.save_model(model, torch.float16 if half else None)
    training = {name: value for name, value in config.training.items() if name != "asked"}  # for --resume, with paths
    packed.save_config(replace(config, data=without_places(config.data), training=training))
    for ours, copy in ((run.card, packed.card), (run.calibration, packed.calibration)):
        if ours.is_file():
            shutil.copyfile(ours, copy)
    images = torch.randn(4, 3, *config.preprocessing.image_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = model(images), packed.load_model()[0](images)
    difference = float((before - after).abs().max() / before.abs().max().clamp_min(1e-30))
    if not difference <= (HALF_TOLERANCE if half else 0):
        raise CorollaError(f"{out} predicts differently from {folder}, by {difference:.1e}; do not use it")
    return difference


def without_places(data: dict[str, Any]) -> dict[str, Any]:
    """The data entry of a config without private information."""
    name = PurePath(str(data.get("source", "")).replace("\\", "/")).name
    return data | {"source": name, "root": "", "skipped": []}
