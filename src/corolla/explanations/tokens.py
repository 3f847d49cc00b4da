"""Which tokens are the head's input, and which are patches: common to every kind of map.

The papers use the row of the class token. A model without one predicts from the mean of its patches, so the rows of
all patches are averaged; for a model that uses both, or has a distillation token, it is the mean of these. Class,
distillation and register tokens are not part of the image: their columns are left out.
"""

import torch
from torch import Tensor

from corolla.models.vit import ViT


def read_shares(model: ViT, tokens: int) -> Tensor:
    """The weight (S,) of each of the last layer's `tokens` in the head's input (eq. 4); they sum to one."""
    pooling, own = model.config.global_pool, model.num_prefix_tokens
    first_patch = own + model.config.num_reg_tokens
    shares = torch.zeros(tokens, device=model.head.weight.device)
    if "token" in pooling:
        shares[:own] += 1 / own
    if "avg" in pooling:
        shares[first_patch:] += 1 / (tokens - first_patch)
    return shares / shares.sum()


def on_patches(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """The values (..., rows, columns) of the patches among a sequence's tokens (..., S)."""
    rows, columns = grid
    patches = values[..., values.shape[-1] - rows * columns :]  # patches come last
    maps: Tensor = patches.unflatten(-1, (rows, columns))  # type: ignore[no-untyped-call]
    return maps
