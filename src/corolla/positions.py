"""Where a patch lies in the image, as a vector of the token's width: fixed waves, and learned ones resized."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sincos_positions(grid: tuple[int, int], trained_grid: tuple[int, int], width: int) -> Tensor:
    """Fixed two-dimensional positions (1, N, D): a quarter each of sin x, cos x, sin y, cos y (arXiv 2205.01580).

    A grid other than the trained one is laid over the same image, its patches' centers measured in the
    trained grid's units; the functions are continuous, so nothing has to be resampled.
    """
    (rows, columns), (trained_rows, trained_columns) = grid, trained_grid
    y = (torch.arange(rows) + 0.5) * trained_rows / rows - 0.5
    x = (torch.arange(columns) + 0.5) * trained_columns / columns - 0.5
    frequencies = 10_000 ** -torch.linspace(0, 1, width // 4)  # (D/4,)
    y_waves = (y[:, None] * frequencies)[:, None, :].expand(rows, columns, -1)
    x_waves = (x[:, None] * frequencies)[None, :, :].expand(rows, columns, -1)
    return torch.cat([x_waves.sin(), x_waves.cos(), y_waves.sin(), y_waves.cos()], dim=-1).flatten(0, 1)[None]


def resize_positions(
    positions: Tensor, trained_grid: tuple[int, int], grid: tuple[int, int], antialias: bool = True
) -> Tensor:
    """Learned positions (1, N, D) interpolated to another grid of patches (section 3.2, "Fine-tuning")."""
    if grid == trained_grid:
        return positions
    image = positions.view(1, *trained_grid, -1).permute(0, 3, 1, 2).float()  # (1, D, rows, columns)
    image = F.interpolate(image, size=grid, mode="bicubic", antialias=antialias, align_corners=False)
    return image.permute(0, 2, 3, 1).flatten(1, 2).to(positions.dtype)
