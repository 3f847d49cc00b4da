"""Optimizers: Muon for the blocks' matrices and the stem, AdamW for the rest."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from corolla.models.vit import ViT
from corolla.training.muon import Muon
from corolla.training.recipe import Recipe


def build_optimizers(model: ViT, recipe: Recipe, muon_dtype: torch.dtype, *beside: nn.Module) -> list[Optimizer]:
    """One or two optimizers that together hold every trainable parameter once; `beside` are modules of the loss.

    Matrices and convolutions of the trunk have weight decay; norms, biases, scales, tokens and position embeddings
    have none. A group's "scale" is the fraction of the learning rate for its layer: with `layer_decay` the lower
    layers, whose pretrained features are the most general, change least.
    """
    groups: dict[tuple[str, float], list[Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            above = model.config.depth + 1 - layer_of(name, model.config.depth)
            groups[kind_of(name, parameter, recipe), recipe.layer_decay**above].append(parameter)
    for module in beside:
        for name, parameter in module.named_parameters():
            groups[kind_of(f"beside.{name}", parameter, recipe), 1.0].append(parameter)
    decay = {"muon": recipe.weight_decay, "decayed": recipe.weight_decay, "free": 0.0}
    made: dict[str, list[dict[str, Any]]] = {
        kind: [
            {"params": members, "weight_decay": decay[kind], "scale": scale}
            for (of, scale), members in groups.items()
            if of == kind
        ]
        for kind in decay
    }
    optimizers: list[Optimizer] = [AdamW(made["decayed"] + made["free"], lr=recipe.learning_rate, fused=True)]
    if made["muon"]:
        rate, decayed = recipe.learning_rate, recipe.weight_decay
        optimizers.append(Muon(made["muon"], lr=rate, weight_decay=decayed, dtype=muon_dtype))
    return optimizers


def kind_of(name: str, parameter: Parameter, recipe: Recipe) -> str:
    """The optimizer of a parameter: "muon", or AdamW as "decayed" or "free" (of weight decay)."""
    # The first convolution is excluded like the head: its inputs, and the head's outputs, are not features.
    in_block = parameter.ndim == 2 and name.startswith("blocks.")
    in_embedding = parameter.ndim == 4 and parameter.shape[1] != 3
    if (in_block or in_embedding) and recipe.optimizer == "muon":
        return "muon"
    # A layer's name has a dot; tokens and positions are the model's own.
    return "decayed" if parameter.ndim >= 2 and "." in name else "free"


def layer_of(name: str, depth: int) -> int:
    """Which layer a parameter belongs to: 0 for the embedding, 1 to `depth` for the blocks, above for the head."""
    first, _, rest = name.partition(".")
    if first == "blocks":
        return int(rest.partition(".")[0]) + 1
    return depth + 1 if first in ("norm", "head", "head_dist") else 0
