"""Which parameter is updated how: Muon for the blocks' matrices and the stem, AdamW for the rest, one schedule."""

import math

import torch
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from corolla.model import ViT
from corolla.training.muon import Muon
from corolla.training.recipe import Recipe


def build_optimisers(model: ViT, recipe: Recipe, muon_dtype: torch.dtype) -> list[Optimizer]:
    """One or two optimisers that together hold every parameter once.

    Weight decay goes to matrices and convolutions of the trunk; norms, biases, scales, tokens and positions, which
    have no direction to shrink, are left without.
    """
    muon: list[Parameter] = []
    decayed: list[Parameter] = []
    free: list[Parameter] = []
    for name, parameter in model.named_parameters():
        # The layer that reads pixels is left out, as the head is: their inputs and outputs are not features.
        in_block = parameter.ndim == 2 and name.startswith("blocks.")
        in_embedding = parameter.ndim == 4 and parameter.shape[1] != 3
        if (in_block or in_embedding) and recipe.optimiser == "muon":
            muon.append(parameter)
        elif parameter.ndim >= 2 and "." in name:  # a layer's; tokens and positions are the model's own
            decayed.append(parameter)
        else:
            free.append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    optimisers: list[Optimizer] = [AdamW(groups, lr=recipe.learning_rate, fused=True)]
    if muon:
        optimisers.append(Muon(muon, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, dtype=muon_dtype))
    return optimisers


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """The share of the peak rate at `step` (from 0) of `steps`: a linear rise, then half a cosine down to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    done = (step - rising) / max(steps - rising, 1)
    return 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimisers: list[Optimizer], rate: float) -> None:
    """Give every parameter group the same rate; Muon's update is scaled to suit it."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
