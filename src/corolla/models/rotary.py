"""Where a patch lies, as angles that turn its queries and keys: rotary positions (RoFormer, arXiv 2104.09864).

Two turned vectors' product depends on the difference of their angles alone (eq. 16), so attention sees how far apart
two patches lie, and no position is learned that another size of image would need interpolated. In an image one half
of each head's pairs of channels turns with the row and the other with the column: axial, as in EVA-02
(arXiv 2303.11331, section 2.1) and DINOv3 (arXiv 2508.10104, section 3.2). Class token and registers lie nowhere and
are not turned. DINOv3's own training also moved and scaled the coordinates at random; here they stay as they are.
"""

import math

import torch
from torch import Tensor

from corolla.models.config import ViTConfig


def rotations(config: ViTConfig, grid: tuple[int, int], before: int, device: torch.device) -> Tensor:
    """Cosines and sines of the angles (2, S, d) of a head's channels, for `before` tokens without a place and a grid.

    Channels i and i + d/2 are a pair and have the same angle.
    """
    rows, columns = (coordinates(config, axis, device, count) for axis, count in enumerate(grid))
    pairs = config.embed_dim // config.num_heads // 4  # along either axis
    frequencies = config.rotary_base ** (-torch.arange(pairs, device=device) / pairs)  # theta_i of eq. 15: (d/4,)
    shape = *grid, pairs
    by_row = (rows[:, None, None] * frequencies).expand(shape)
    by_column = (columns[:, None] * frequencies).expand(shape)
    placed = torch.cat([by_row, by_column], dim=-1).flatten(0, 1)  # m theta_i of eq. 15: (N, d/2)
    angles = torch.cat([placed.new_zeros(before, 2 * pairs), placed]).repeat(1, 2)  # (S, d)
    return torch.stack([angles.cos(), angles.sin()])


def coordinates(config: ViTConfig, axis: int, device: torch.device, count: int) -> Tensor:
    """Where `count` patches in a line lie (count,): around the middle of the image, or counted from its edge."""
    steps = torch.arange(count, device=device, dtype=torch.float32)
    if config.rotary == "centered":  # once around from one edge to the middle, whatever the image's size
        return 2 * math.pi * (2 * (steps + 0.5) / count - 1)
    return steps if config.rotary_grid is None else steps / count * config.rotary_grid[axis]


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Queries or keys (B, h, S, d) turned by `rotations` (2, S, d), each pair of channels in its plane (eq. 34)."""
    cos, sin = rope
    first, second = x.chunk(2, dim=-1)
    turned: Tensor = x * cos + torch.cat([-second, first], dim=-1) * sin
    return turned.to(x.dtype)
