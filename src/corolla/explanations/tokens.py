"""Which tokens the head reads, and which stand for patches: what is the same for every kind of map.

The papers read the row of the class token. A model without one answers from the mean of its patches, so the rows of
all patches are averaged; one that reads both, or has a second token that learned from a teacher, gets the mean of
these. Class, distillation and register tokens are no part of the image: their columns are left out.
"""

import torch
from torch import Tensor

from corolla.models.vit import ViT


def read_shares(model: ViT, tokens: int) -> Tensor:
    """The share (S,) of each of the last layer's `tokens` in what the head reads (eq. 4); they sum to one."""
    pooling, own = model.config.global_pool, model.num_prefix_tokens
    first_patch = own + model.config.num_reg_tokens
    shares = torch.zeros(tokens, device=model.head.weight.device)
    if "token" in pooling:
        shares[:own] += 1 / own
    if "avg" in pooling:
        shares[first_patch:] += 1 / (tokens - first_patch)
    return shares / shares.sum()


def on_patches(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """The values (..., S) of a sequence's tokens as those of its patches (..., rows, columns)."""
    rows, columns = grid
    patches = values[..., values.shape[-1] - rows * columns :]  # they come last
    maps: Tensor = patches.unflatten(-1, (rows, columns))  # type: ignore[no-untyped-call]
    return maps
