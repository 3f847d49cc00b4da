"""What a `config.json` of corolla 0.1 (format 1) calls otherwise than one of today."""

from typing import Any

FORMAT = 2  # raised when an older corolla could no longer read it
# From the names of a recipe's values in format 1 to today's.
RECIPE = {
    "train_blocks": "unfreeze_last",
    "growth": "progressive_resizing",
    "optimiser": "optimizer",
    "accumulate": "grad_accum_steps",
    "clip_norm": "clip_grad_norm",
    "average_decay": "ema_decay",
    "crop_scale": "random_resized_crop_scale",
    "policy": "auto_augment",
    "erasing": "random_erasing_prob",
    "mixing": "mixup_cutmix_prob",
    "distillation": "distillation_type",
    "distill_share": "distill_alpha",
    "temperature": "distill_temperature",
    "guidance": "feature_distill_weight",
    "flip_average": "hflip_tta",
}


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a `config.json`, without its format, by today's names; ValueError for a format we do not know."""
    values = dict(values)
    written = values.pop("format")
    if written == 1:
        values["recipe"] = {RECIPE.get(name, name): value for name, value in values["recipe"].items()}
    elif written != FORMAT:
        raise ValueError("it was written by another version of corolla; update corolla")
    return values
