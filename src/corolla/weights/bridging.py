"""Folders with our own names, for what a library cannot represent: it reads them after importing `corolla.bridges`."""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from corolla.models.config import ViTConfig

BRIDGED = "corolla_vit"  # the architecture (timm) and model type (transformers) that the bridges register
MODULES = {"timm": "corolla.bridges.timm", "huggingface": "corolla.bridges.transformers"}
PREFIX = {"timm": "", "huggingface": "vit."}  # of our names


def shape_in(settings: dict[str, Any]) -> dict[str, Any] | None:
    """The architecture in the settings of such a folder, as plain values; None for any other folder."""
    for sign, shape in (("architecture", "model_args"), ("model_type", "vit")):  # timm, transformers
        if settings.get(sign) == BRIDGED and isinstance(settings.get(shape), dict):
            found: dict[str, Any] = settings[shape]
            return found
    return None


def settings_for(to: str, config: ViTConfig) -> dict[str, Any]:
    """The `config.json`, without class names and preprocessing."""
    shape = asdict(config)
    del shape["num_classes"]
    if to == "huggingface":
        return {"model_type": BRIDGED, "architectures": ["CorollaViTForImageClassification"], "vit": shape}
    size = [3, *config.image_size]
    return {
        "architecture": BRIDGED,
        "num_classes": config.num_classes,
        "num_features": config.embed_dim,
        "pretrained_cfg": {"input_size": size, "num_classes": config.num_classes, "classifier": "head"},
        "model_args": shape,
    }


def ours(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of such a folder by our names."""
    return {name.removeprefix(PREFIX["huggingface"]): tensor for name, tensor in tensors.items()}
