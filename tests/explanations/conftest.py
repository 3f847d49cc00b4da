"""A model whose prediction depends on one patch only, and models of every shape with random weights."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from corolla.classifier import Classifier
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from shapes import SHAPES, build_chance

SIDE, ROWS, COLUMNS = 8, 4, 6
GRAY, RED = (124, 116, 104), (255, 0, 0)  # the mean color, which normalizes to about zero


def build_finder(flip: bool = False, **changes: object) -> Classifier:
    """One block with one head; every token attends to red patches, and the model predicts "red" from them.

    Channel 0 of a token is how red its patch is and channel 1 is always one; queries ask for redness, values carry it
    to channel 2, and the head reads that. Channels 7, 6 and 5 are their negatives, so that a LayerNorm's mean is zero.
    """
    size = (SIDE * ROWS, SIDE * COLUMNS)
    model = ViT(ViTConfig(3, size, SIDE, embed_dim=8, depth=1, num_heads=1, mlp_dim=8, **changes))  # type: ignore[arg-type]
    block = model.blocks[0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for norm in (model.norm, block.norm1, block.norm2):
            norm.weight.fill_(1.0)
        redness = torch.tensor([1.0, -1.0, -1.0])[:, None, None] / (3 * SIDE * SIDE)
        model.patch_embed.proj.weight[0], model.patch_embed.proj.weight[7] = redness, -redness
        model.patch_embed.proj.bias[1], model.patch_embed.proj.bias[6] = 1.0, -1.0
        for tokens in (model.cls_token, model.reg_token):
            if tokens is not None:
                tokens[..., 1], tokens[..., 6] = 1.0, -1.0
        block.attn.qkv.weight[0, 1] = 4.0  # query: a constant
        block.attn.qkv.weight[8, 0] = 4.0  # key: redness
        block.attn.qkv.weight[16, 0] = 1.0  # value: redness
        block.attn.proj.weight[2, 0], block.attn.proj.weight[5, 0] = 0.3, -0.3
        model.head.weight[1, 2] = 8.0
        model.head.bias[0] = 3.0
    return Classifier(model, Preprocessing(size), ("nothing", "red", "unused"), flip=flip)


@pytest.fixture
def finder() -> Callable[..., Classifier]:
    """`build_finder`."""
    return build_finder


@pytest.fixture
def scene() -> Callable[[int, int], Image.Image]:
    """A gray image with one red patch, by the row and column of the patch."""

    def paint(row: int, column: int) -> Image.Image:
        image = Image.new("RGB", (SIDE * COLUMNS, SIDE * ROWS), GRAY)
        left, top = column * SIDE, row * SIDE
        image.paste(RED, (left, top, left + SIDE, top + SIDE))
        return image

    return paint


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    """The name of each shape in turn."""
    return str(request.param)


@pytest.fixture
def chance() -> Callable[..., Classifier]:
    """`build_chance`."""
    return build_chance


@pytest.fixture
def noise() -> Callable[[int], Image.Image]:
    """A random image by its seed."""
    return lambda seed: Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 50, 3), np.uint8))
