"""Attention rollout: "Quantifying Attention Flow in Transformers" (Abnar & Zuidema 2020, arXiv 2005.00928), section 3.

The Vision Transformer paper uses it for figure 6 (appendix D.8). It needs no gradient and does not depend on the class:
the map shows where the output token's information comes from, for or against any class.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def rollout(attention: Sequence[Tensor]) -> Tensor:
    """The fraction of each input token in each token of the last layer (B, S, S), from A of each block (B, h, S, S).

    Rows sum to one. Heads are averaged, and the identity represents the residual connection.
    """
    rolled = torch.eye(attention[0].shape[-1], device=attention[0].device)
    for weights in attention:
        mixed = (weights.mean(dim=1) + torch.eye(weights.shape[-1], device=weights.device)) / 2  # A = W/2 + I/2
        rolled = mixed @ rolled  # eq. 1: (B, S, S)
    return rolled
