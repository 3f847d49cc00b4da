"""The convolutional stem of the hybrid: small feature maps in place of raw pixels (arXiv 2010.11929, section 3.1)."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (arXiv 1512.03385): (B, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
        self.last_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the branch computes."""
        return F.relu(x + self.last_norm(self.branch(x)))


class ConvStem(nn.Sequential):
    """The hybrid's feature maps (section 3.1), each stage a 3x3 convolution of stride 2 (arXiv 2106.14881).

    Residual blocks follow every stage but the first, whose large maps make them dear.
    """

    def __init__(self, channels: tuple[int, ...], blocks: int) -> None:
        stages: list[nn.Module] = []
        for stage, (before, after) in enumerate(pairwise((3, *channels))):
            stages += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            stages += [ResidualBlock(after) for _ in range(blocks if stage else 0)]
        super().__init__(*stages)
