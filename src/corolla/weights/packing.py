"""A run without what belongs to one machine: to be given away, or to come with a package."""

import shutil
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import torch

from corolla.atomic import refuse_occupied
from corolla.errors import CorollaError
from corolla.paths import AnyPath, at
from corolla.run import Run

HALF_TOLERANCE = 0.02  # of the largest answer: what weights of 11 bits may change


def pack(folder: AnyPath, out: AnyPath, half: bool = False) -> float:
    """Copy a run's weights, config, calibration and card into the folder `out`, which should not exist or be empty.

    Neither its manifest nor its report, which shows images, goes along, nor where on the disk its images were and
    how those are called that were skipped, which its config has. `half` keeps the weights in float16; they are read
    into float32 again. Returns the largest difference that this makes to an answer, as a share of the largest answer.
    Raises `CorollaError` for what is no whole run, and if the difference is more than half precision explains.
    """
    run, out = Run(at(folder)), at(out)
    model, config = run.load_model()  # so that nothing damaged is given away
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
        raise CorollaError(f"{out} answers otherwise than {folder}, by {difference:.1e}; do not use it")
    return difference


def without_places(data: dict[str, Any]) -> dict[str, Any]:
    """What a config says of its data, without what is nobody else's business."""
    name = PurePath(str(data.get("source", "")).replace("\\", "/")).name
    return data | {"source": name, "root": "", "skipped": []}
