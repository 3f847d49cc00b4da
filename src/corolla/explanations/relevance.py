"""Attention weighted by the gradient of the class logit (Chefer, Gur & Wolf 2021, arXiv 2103.15679, section 3).

The paper is "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder Transformers" (ICCV);
this is its rule for self-attention, equations 1, 5 and 6. It is not the older method of the same authors (arXiv
2012.09838), which propagates relevance back through every layer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


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
