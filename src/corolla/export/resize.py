"""Pillow's crop and resize as two matrix multiplications, so that a graph can preprocess an image of any size itself.

A resized row is a weighted mean of the source's rows, and likewise a column; with the weights in a matrix this is
`vertical @ image @ horizontal`. The weights are those of Pillow's resampling: a kernel as wide as the step between
the new pixels where it shrinks (which is its antialiasing), cut at the image's edges and summing to one. Every
runtime can multiply matrices, but their resize operators differ.

Like Pillow, it rounds to integers after each direction. Pillow may resize vertically first if that is
less work; here the horizontal direction is always first, so a pixel may differ by a rounding.
"""

import torch
from torch import Tensor, nn

from corolla.preprocessing import Preprocessing


class Resize(nn.Module):
    """Resizes RGB images of any one size to the model's input size; images of that size stay unchanged."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.kernel = {"bicubic": cubic, "bilinear": triangle}[preprocessing.interpolation]

    def forward(self, images: Tensor) -> Tensor:
        """From uint8 (B, H, W, 3) to integers in [0, 255], float32 (B, 3, rows, columns)."""
        rows, columns = self.preprocessing.image_size
        # As tensors, so that the graph computes them for every size.
        across, down = (torch.arange(images.shape[axis], dtype=torch.float32) for axis in (2, 1))
        width, height = across[-1] + 1, down[-1] + 1
        prepared = (width == columns) & (height == rows)
        fraction = torch.where(prepared, 1.0, self.preprocessing.crop_fraction)
        wide, tall = width / columns, height / rows  # as in `Preprocessing.crop_box`
        if self.preprocessing.crop_mode == "center":
            wide = tall = torch.minimum(wide, tall)
        wide, tall = wide * fraction, tall * fraction
        horizontal = self.weights(across, (width - columns * wide) / 2, wide, columns)
        vertical = self.weights(down, (height - rows * tall) / 2, tall, rows)
        planes = images.permute(0, 3, 1, 2).float()
        planes = (planes @ horizontal.T).round().clamp(0, 255)
        return (vertical @ planes).round().clamp(0, 255)

    def weights(self, source: Tensor, start: Tensor, scale: Tensor, count: int) -> Tensor:
        """The weights (count, n) of `n` source pixels in `count` new ones, which start at `start`, `scale` apart."""
        centers = start + (torch.arange(count, dtype=torch.float32) + 0.5) * scale
        apart = (source + 0.5 - centers[:, None]) / scale.clamp(min=1.0)
        shares = self.kernel(apart)
        return shares / shares.sum(dim=1, keepdim=True)


def triangle(x: Tensor) -> Tensor:
    """The bilinear kernel, two pixels wide."""
    return (1 - x.abs()).clamp(min=0)


def cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """The bicubic kernel, four pixels wide (Keys 1981); `a` is Pillow's."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
