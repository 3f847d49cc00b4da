"""What the first layer has learned, without any image: figure 7 of "An Image is Worth 16x16 Words", left and center.

Left: the principal components of the filters that read the pixels. Those of a plain Vision Transformer are the patch
embedding E. The hybrid's E reads feature maps, whose channels have no colors to be drawn in; there they are the small
kernels of the stem's first convolution.

Center: how similar each patch's position is to that of every other patch. Positions that are fixed sinusoids were not
learned, so their image shows the scheme and nothing of the training. Nor were rotary ones; where nothing is added to
the tokens, theirs are shown: the mean cosine of the angles between two patches, which is what is left of a product of
equal queries and keys (arXiv 2104.09864, eq. 16).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from torch import nn

from corolla.atomic import write_bytes, write_with
from corolla.explanations.overlay import colored, png, scaled, tiled
from corolla.models.vit import ViT

COMPONENTS, ACROSS = 28, 7  # as in the figure
MOST_TILES = 14  # along a side; of a larger grid, patches at even steps are shown


def first_filters(model: ViT) -> nn.Conv2d:
    """The convolution that reads the pixels: E, or the first one of the hybrid's stem."""
    return next(module for module in model.patch_embed.modules() if isinstance(module, nn.Conv2d))


def filter_components(model: ViT) -> NDArray[np.float32]:
    """The first principal components of the filters that read the pixels, at most 28: (n, side, side, 3)."""
    weights = first_filters(model).weight.detach().float().cpu().numpy()  # (D, 3, side, side)
    filters = weights.reshape(len(weights), -1)
    found: NDArray[np.float32] = PCA(min(COMPONENTS, *filters.shape), svd_solver="full").fit(filters).components_
    return found.reshape(-1, *weights.shape[1:]).transpose(0, 2, 3, 1)


def position_similarity(model: ViT) -> NDArray[np.float32]:
    """The cosine similarity of the positions of patches (R, C, rows, columns): those of R x C patches with all others.

    R and C are rows and columns of the grid the model was trained with, or 14 of them at even steps.
    """
    rows, columns = model.trained_grid
    with torch.no_grad():
        _, positions = model.pos_embed_for(model.config.image_size, model.head.weight)
        turns = model.rope_for(model.config.image_size, model.head.weight)
        if positions is None and turns is not None:
            positions = model.patch_tokens(torch.cat(list(turns), dim=-1)[None])  # (1, N, 2 d)
        assert positions is not None  # a model has one or the other
        unit = F.normalize(positions[0].float(), dim=-1).view(rows, columns, -1)  # (rows, columns, D)
        down, across = (torch.linspace(0, side - 1, min(side, MOST_TILES)).round().long() for side in (rows, columns))
        similar = torch.einsum("abd,rcd->abrc", unit[down][:, across], unit)
    found: NDArray[np.float32] = similar.cpu().numpy()
    return found


def draw_filters(model: ViT) -> Image.Image:
    """The components as small images, seven in a row, each from its own smallest value to its largest."""
    components = filter_components(model)
    shown = np.full((-(-len(components) // ACROSS) * ACROSS, *components.shape[1:]), 255, np.uint8)
    for place, component in enumerate(components):
        shown[place] = (scaled(component) * 255).round().astype(np.uint8)
    return tiled(shown.reshape(-1, ACROSS, *components.shape[1:]))


def draw_positions(model: ViT) -> Image.Image:
    """A tile for each patch at its place in the grid, from dark at the least similar pair to bright at 1.

    The paper's scale begins at -1, where fixed waves, all of whose similarities are high, would be one color.
    """
    return tiled(colored(scaled(position_similarity(model))))


def write_embeddings(model: ViT, folder: Path, arrays: bool = False) -> list[tuple[Path, str]]:
    """Write filters.png and positions.png, with `arrays` embeddings.npz too; each file with what it shows, in words."""
    drawn = {
        folder / "filters.png": (draw_filters(model), about_filters(model)),
        folder / "positions.png": (draw_positions(model), about_positions(model)),
    }
    for file, (image, _) in drawn.items():
        write_bytes(file, png(image))
    told = [(file, words) for file, (_, words) in drawn.items()]
    if arrays:
        values: dict[str, Any] = {"filters": filter_components(model), "positions": position_similarity(model)}
        file = folder / "embeddings.npz"
        write_with(file, lambda temporary: np.savez_compressed(temporary, **values))
        told.append((file, "the numbers of both"))
    return told


def about_filters(model: ViT) -> str:
    """What `draw_filters` shows of this model, in words."""
    layer = first_filters(model)
    side = f"{layer.kernel_size[0]} x {layer.kernel_size[1]}"
    which = f"the {side} kernels of its stem's first layer" if model.config.stem else f"its {side} patch filters"
    return f"principal components of {which}"


def about_positions(model: ViT) -> str:
    """What `draw_positions` shows of this model, in words."""
    kinds = {
        "learned": "learned positions",
        "sincos": "positions, which are fixed waves and not learned",
        "none": "rotary positions, which are fixed angles and not learned",
    }
    return f"cosine similarity of its {kinds[model.config.pos_embed]}"
