"""The last layer of a model."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn


class Head(nn.Linear):
    """The last layer, always in single precision: half precision's steps would show in the answers."""

    def forward(self, y: Tensor) -> Tensor:
        """From y (B, C) to the logits (B, classes), float32 at least."""
        kind = y.device.type
        with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
            return super().forward(y.to(self.weight.dtype))
