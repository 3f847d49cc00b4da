"""The common parts of the writers for other libraries."""

from dataclasses import dataclass
from typing import Any

from corolla.models.config import ViTConfig
from corolla.weights.formats import CheckpointFormat

BOTH = "a head on class token and mean together"
POOLINGS = {"token": "a class token", "avg": "average pooling", "token+avg": BOTH}


@dataclass(frozen=True)
class Target:
    """A format to write, the features that it cannot represent, and its `config.json`."""

    dialect: CheckpointFormat
    faults: list[str]
    settings: dict[str, Any] | None


def timm_arguments(config: ViTConfig) -> dict[str, Any]:
    """The arguments that all of timm's Vision Transformers have."""
    return {
        "img_size": list(config.image_size),
        "patch_size": config.patch_size,
        "embed_dim": config.embed_dim,
        "depth": config.depth,
        "num_heads": config.num_heads,
        "mlp_ratio": (config.mlp_dim + 0.25)
        / config.embed_dim,  # timm truncates its product with the width to an integer
        "global_pool": config.global_pool,
        "class_token": config.global_pool == "token",
    }


def timm_settings(base: str, config: ViTConfig, arguments: dict[str, Any], has_head: bool) -> dict[str, Any]:
    """The `config.json` for the architecture `base` of timm with other arguments."""
    classes = config.num_classes if has_head else 0
    size = [3, *config.image_size]
    pretrained = {"input_size": size, "num_classes": classes, "first_conv": "patch_embed.proj", "classifier": "head"}
    if config.distilled:
        pretrained["classifier"] = ["head", "head_dist"]
    return {
        "architecture": base,
        "num_classes": classes,
        "num_features": config.embed_dim,
        "pretrained_cfg": pretrained,
        "model_args": arguments,
    }
