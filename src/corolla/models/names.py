"""The named sizes of the Vision Transformer, and how a name such as `vit_tiny_patch16_224` is read.

A name says size, how images become tokens and at which pixels: `patch16` is the paper's linear patches of 16 x 16,
`conv16` the paper's hybrid, a convolutional stem with one token for every 16 x 16 pixels.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig


@dataclass(frozen=True)
class Size:
    """One row of the paper's table 1."""

    embed_dim: int  # D
    depth: int  # layers
    num_heads: int
    mlp_dim: int


SIZES = {
    "pico": Size(48, 2, 3, 96),  # for a first try and for tests; learns little
    "nano": Size(96, 4, 3, 384),  # for a few minutes on a CPU
    "micro": Size(192, 6, 3, 768),  # for few images and a CPU
    "tiny": Size(192, 12, 3, 768),  # Ti (arXiv 2012.12877)
    "small": Size(384, 12, 6, 1536),  # S (arXiv 2012.12877)
    "base": Size(768, 12, 12, 3072),  # B
    "large": Size(1024, 24, 16, 4096),  # L
    "huge": Size(1280, 32, 16, 5120),  # H
}
PATCH_SIDES = (4, 8, 14, 16, 32)
CONV_STRIDES = (4, 8, 16)
NAME = re.compile(r"vit_(?P<size>[a-z]+)_(?P<kind>patch|conv)(?P<side>\d+)_(?P<pixels>\d+)")


def names() -> list[str]:
    """The usual names, at 224 pixels; any other number of pixels that the patches divide works too."""
    kinds = [f"patch{side}" for side in PATCH_SIDES] + [f"conv{stride}" for stride in CONV_STRIDES]
    return [f"vit_{size}_{kind}_224" for size in SIZES for kind in kinds]


def vit_config(name: str, num_classes: int, **changes: Any) -> ViTConfig:
    """The configuration that `name` stands for, with any field of `ViTConfig` changed by keyword.

    Raises `CorollaError` for a name or a combination that cannot be built, with the nearest names that can.
    """
    match = NAME.fullmatch(name)
    size = SIZES.get(match["size"]) if match else None
    if not match or size is None:
        near = difflib.get_close_matches(name, names(), n=3) or names()[:3]
        raise CorollaError(f"no model is called {name!r}; near it: {', '.join(near)} (sizes: {', '.join(SIZES)})")
    side, pixels = int(match["side"]), int(match["pixels"])
    fields: dict[str, Any] = {
        "num_classes": num_classes,
        "image_size": (pixels, pixels),
        "patch_size": side,
        "embed_dim": size.embed_dim,
        "depth": size.depth,
        "num_heads": size.num_heads,
        "mlp_dim": size.mlp_dim,
    }
    if match["kind"] == "conv":
        if side not in CONV_STRIDES:
            raise CorollaError(
                f"{name}: a convolutional stem has a stride of {', '.join(map(str, CONV_STRIDES))}, not {side}"
            )
        stages = side.bit_length() - 1
        stem = tuple(size.embed_dim >> stage for stage in reversed(range(stages)))  # ..., D/4, D/2, D
        # The hybrids are this project's own; they take what trains best from scratch (arXiv 2205.01580)
        # and, measured in benchmarks/README.md, one residual block a stage.
        fields |= {"stem": stem, "stem_blocks": 1, "global_pool": "avg", "pos_embed": "sincos"}
    try:
        return ViTConfig(**(fields | changes))
    except ValueError as error:
        raise CorollaError(f"{name}: {error}") from None


def name_of(shape: ViTConfig) -> str:
    """What an architecture is called, wherever its weights came from; a size without a name by its width and depth."""
    sizes = {size: name for name, size in SIZES.items()}
    own = Size(shape.embed_dim, shape.depth, shape.num_heads, shape.mlp_dim)
    size = sizes.get(own, f"w{shape.embed_dim}d{shape.depth}")
    registers = f"_reg{shape.num_reg_tokens}" if shape.num_reg_tokens else ""
    rotary = "" if shape.rotary == "none" else "_rope"
    kind = "conv" if shape.stem else "patch"
    return f"vit_{size}_{kind}{shape.patch_size}{rotary}{registers}_{max(shape.image_size)}"
