"""What ends a residual branch: a learned scale, and being left out at random."""

import torch
from torch import Tensor, nn


class LayerScale(nn.Module):
    """A learned scale for each channel of a residual branch, small at first (arXiv 2103.17239, eq. 4)."""

    def __init__(self, width: int, initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), initial))

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, S, D) channel by channel."""
        return x * self.scale


class DropPath(nn.Module):
    """Stochastic depth: in training a residual branch is left out for whole images (arXiv 1603.09382)."""

    keep: Tensor

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        # Where these images stand in a batch that several processes share, and how many it has; None: all of it.
        self.place: tuple[int, int] | None = None
        # A tensor: compiled code would be compiled again for every number, and so for every block.
        self.register_buffer("keep", torch.empty(()), persistent=False)
        self.reset()

    def reset(self) -> None:
        """Know the probability, after the module was built without memory (on PyTorch's `meta` device)."""
        self.keep = torch.tensor(1.0 - self.probability)

    def forward(self, x: Tensor) -> Tensor:
        """Zero the branch of a random share of the B images and scale the others up to keep the mean."""
        if not self.training:
            return x
        first, whole = self.place or (0, x.shape[0])
        # Chance is drawn for the whole batch, so that it falls the same however many share it.
        kept = torch.bernoulli(self.keep.expand(whole))[first : first + x.shape[0]] / self.keep  # (B,)
        return x * kept.view(-1, *[1] * (x.ndim - 1)).to(x.dtype)
