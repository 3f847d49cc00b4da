"""Names that were different in older versions: the one map by which their run folders and exported files still open."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2  # of a run, raised when an older corolla could no longer read it
METADATA_FORMAT = 2  # the same of an exported file
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
ARCHITECTURE = {
    "width": "embed_dim",
    "heads": "num_heads",
    "pooling": "global_pool",
    "positions": "pos_embed",
    "antialias_positions": "pos_embed_antialias",
    "registers": "num_reg_tokens",
}
# From the names of its tensors to today's, as patterns for the whole name.
TENSORS = {
    r"class_token": "cls_token",
    r"distillation_token": "dist_token",
    r"registers": "reg_token",
    r"positions": "pos_embed",
    r"patches\.stem\.(.+)": r"patch_embed.stem.\1",
    r"patches\.project\.(.+)": r"patch_embed.proj.\1",
    r"(blocks\.\d+)\.attention\.out\.(.+)": r"\1.attn.proj.\2",
    r"(blocks\.\d+)\.attention\.(.+)": r"\1.attn.\2",
    r"(blocks\.\d+)\.branch([12])\.0\.scale": r"\1.ls\2.gamma",
    r"(blocks\.\d+)\.mlp\.0\.(.+)": r"\1.mlp.fc1.\2",
    r"(blocks\.\d+)\.mlp\.2\.(.+)": r"\1.mlp.fc2.\2",
    r"distillation_head\.(.+)": r"head_dist.\1",
}
# From the names in an exported file of format 1, of its metadata and its outputs, to today's.
EXPORTED = {"novelty": "ood_score"}


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a `config.json`, without its format, by today's names; ValueError for a format we do not know."""
    values = dict(values)
    written = values.pop("format")
    if written == 1:
        values["recipe"] = {RECIPE.get(name, name): value for name, value in values["recipe"].items()}
        values["architecture"] = upgraded_architecture(values["architecture"])
    elif written != FORMAT:
        raise ValueError("it was written by another version of corolla; update corolla")
    return values


def upgraded_metadata(values: dict[str, Any]) -> dict[str, Any]:
    """The metadata of an exported file by today's names; ValueError for a format we do not know."""
    if values["format"] not in (1, METADATA_FORMAT):
        raise ValueError("it was written by another version of corolla; export it again")
    return {EXPORTED.get(name, name): value for name, value in values.items()}


def upgraded_architecture(values: dict[str, Any]) -> dict[str, Any]:
    """The plain values of a `ViTConfig` by today's names; those that have them already stay as they are."""
    values = {ARCHITECTURE.get(name, name): value for name, value in values.items()}
    if isinstance(values.get("global_pool"), str):
        values["global_pool"] = values["global_pool"].replace("average", "avg")
    return values


def upgraded_tensors(tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """A model's tensors by today's names; those that have them already stay as they are."""

    def name_of(name: str) -> str:
        for pattern, new in TENSORS.items():
            if found := re.fullmatch(pattern, name):
                return found.expand(new)
        return name

    return {name_of(name): tensor for name, tensor in tensors.items()}
