"""What the first layer has learned, without any image: figure 7 of "An Image is Worth 16x16 Words", left and center.

Left: the principal components of the first layer's filters. In a plain Vision Transformer these are the patch embedding
E. The hybrid's E reads feature maps, whose channels have no colors to draw; there the kernels of the stem's first
convolution are used.

Center: the similarity of each patch's position embedding to that of every other patch. Fixed sinusoids and rotary
embeddings are not learned, so their image shows only the scheme. If no position embedding is added to the tokens, the
rotary ones are shown: the mean cosine of the angles between two patches, which is the dot product of equal queries and
keys (arXiv 2104.09864, eq. 16).
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
MOST_TILES = 14  # along a side; a larger grid is sampled evenly


def first_filters(model: ViT) -> nn.Conv2d:
    """The first convolution: E, or the first one of the hybrid's stem."""
    return next(module for module in model.patch_embed.modules() if isinstance(module, nn.Conv2d))


def filter_components(model: ViT) -> NDArray[np.float32]:
    """The first principal components of the first layer's filters, at most 28: (n, side, side, 3)."""
    weights = first_filters(model).weight.detach().float().cpu().numpy()  # (D, 3, side, side)
    filters = weights.reshape(len(weights), -1)
    found: NDArray[np.float32] = PCA(min(COMPONENTS, *filters.shape), svd_solver="full").fit(filters).components_
    return found.reshape(-1, *weights.shape[1:]).transpose(0, 2, 3, 1)


def position_similarity(model: ViT) -> NDArray[np.float32]:
    """The cosine similarity of position embeddings (R, C, rows, columns): R x C patches against all patches.

    R and C are rows and columns of the training grid, or 14 of them, evenly spaced.
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
    """The components as small images, seven in a row, each scaled from its own minimum to its maximum."""
    components = filter_components(model)
    shown = np.full((-(-len(components) // ACROSS) * ACROSS, *components.shape[1:]), 255, np.uint8)
    for place, component in enumerate(components):
        shown[place] = (scaled(component) * 255).round().astype(np.uint8)
    return tiled(shown.reshape(-1, ACROSS, *components.shape[1:]))


def draw_positions(model: ViT) -> Image.Image:
    """A tile for each patch at its place in the grid, from dark for the least similar pair to bright for 1.

    The paper's scale starts at -1, where fixed sinusoids, whose similarities are all high, would have one color.
    """
    return tiled(colored(scaled(position_similarity(model))))


def write_embeddings(model: ViT, folder: Path, arrays: bool = False) -> list[tuple[Path, str]]:
    """Write filters.png and positions.png, with `arrays` also embeddings.npz; returns each file and its description."""
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
    """A description of the image of `draw_filters`."""
    layer = first_filters(model)
    side = f"{layer.kernel_size[0]} x {layer.kernel_size[1]}"
    which = f"the {side} kernels of its stem's first layer" if model.config.stem else f"its {side} patch filters"
    return f"principal components of {which}"


def about_positions(model: ViT) -> str:
    """A description of the image of `draw_positions`."""
    kinds = {
        "learned": "learned position embeddings",
        "sincos": "position embeddings, which are fixed sinusoids and not learned",
        "none": "rotary position embeddings, which are fixed angles and not learned",
    }
    return f"cosine similarity of its {kinds[model.config.pos_embed]}"
