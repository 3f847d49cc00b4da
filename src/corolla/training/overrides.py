"""The keyword arguments of `corolla.train` for the fields of the recipe, typed so that editors complete them.

A test checks that these names equal the fields of `corolla.training.recipe.Recipe`, which documents them.
"""

from collections.abc import Sequence
from typing import TypedDict

from corolla.paths import AnyPath
from corolla.training.recipe import ClassWeights, Distilling, FirstHead, Optimizer, Policy

Pairs = Sequence[Sequence[float]]  # (start, fraction of the image size) of progressive resizing


class RecipeOverrides(TypedDict, total=False):
    """Values that replace the recipe's; None keeps the recipe's value."""

    model: str | None
    image_size: int | None
    epochs: int | None
    weights: AnyPath | None
    head: FirstHead | None
    unfreeze_last: int | None
    lora_rank: int | None
    layer_decay: float | None
    teacher: AnyPath | None
    teacher_epochs: int | None
    distillation_type: Distilling | None
    distill_alpha: float | None
    distill_token: bool | None
    distill_temperature: float | None
    feature_distill_weight: float | None
    optimizer: Optimizer | None
    learning_rate: float | None
    weight_decay: float | None
    warmup: float | None
    batch_size: int | None
    grad_accum_steps: int | None
    clip_grad_norm: float | None
    ema_decay: float | None
    last_epoch: float | None
    validations: int | None
    patience: int | None
    label_smoothing: float | None
    drop_path: float | None
    class_weights: ClassWeights | None
    random_resized_crop_scale: float | None
    auto_augment: Policy | None
    random_erasing_prob: float | None
    mixup_cutmix_prob: float | None
    progressive_resizing: Pairs | None
    hflip_tta: bool | None
