"""The attribution methods: from a model's attention to a value for each token.

- `rollout`: "Quantifying Attention Flow in Transformers" (Abnar & Zuidema 2020, arXiv 2005.00928), section 3, which the
  Vision Transformer paper uses for figure 6 (appendix D.8). It needs no gradient and does not depend on the class: the
  map shows where the output token's information comes from, for or against any class.
- `relevance`: attention weighted by the gradient of the class logit, by "Generic Attention-model Explainability for
  Interpreting Bi-Modal and Encoder-Decoder Transformers" (Chefer, Gur & Wolf, ICCV 2021, arXiv 2103.15679), section 3:
  its rule for self-attention, equations 1, 5 and 6. It is not the older method of the same authors (arXiv 2012.09838),
  which propagates relevance back through every layer.
- `head_attention`: the attention of the last block, head by head, as in DINO's images (arXiv 2104.14294, figure 1). It
  is the simplest map, A of eq. 6 itself: one layer's attention to tokens that all earlier layers have mixed.

The papers use the row of the class token. A model without one predicts from the mean of its patches, so the rows of
all patches are averaged; for a model that uses both, or has a distillation token, it is the mean of these. Class,
distillation and register tokens are not part of the image: their columns are left out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from corolla.models.vit import ViT


def rollout(attention: Sequence[Tensor]) -> Tensor:
    """The fraction of each input token in each token of the last layer (B, S, S), from A of each block (B, h, S, S).

    Rows sum to one. Heads are averaged, and the identity represents the residual connection.
    """
    rolled = torch.eye(attention[0].shape[-1], device=attention[0].device)
    for weights in attention:
        mixed = (weights.mean(dim=1) + torch.eye(weights.shape[-1], device=weights.device)) / 2  # A = W/2 + I/2
        rolled = mixed @ rolled  # eq. 1: (B, S, S)
    return rolled


def relevance(attention: Sequence[Tensor], chosen: Tensor) -> Tensor:
    """The relevance of each input token to each token of the last layer (B, S, S), for the class of each image.

    `attention` holds A of each block (B, h, S, S), with the autograd graph to `chosen` (B,), the logit of that class.
    Weights whose increase would lower the logit count as zero. No parameter's `grad` is changed; the graph is freed.
    """
    gradients = torch.autograd.grad(chosen.sum(), list(attention))  # images are independent of each other
    relevant = torch.eye(attention[0].shape[-1], device=chosen.device)  # eq. 1
    for weights, gradient in zip(attention, gradients, strict=True):
        raising = (gradient * weights.detach()).clamp(min=0).mean(dim=1)  # eq. 5: mean over the heads, (B, S, S)
        relevant = relevant + raising @ relevant  # eq. 6
    return relevant


def head_attention(attention: Tensor, shares: Tensor) -> Tensor:
    """The attention of the classification head's input tokens to all tokens, per attention head (B, h, S).

    From A of one block (B, h, S, S) and the `shares` (S,) of `read_shares`: the class token's row, or the mean
    of the patches' rows if there is no class token.
    """
    return shares @ attention


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
