"""Which Vision Transformer a set of tensors is, read off their shapes and the settings beside them."""

import math
import re
from typing import Any

import torch
from torch import Tensor

from corolla.configuration import Pooling, ViTConfig
from corolla.weights.rotary import Turning

USUAL_HEAD = 64  # width of a head in every size of the paper's table 1 and of DeiT and DINO
USUAL_SIDE = 224  # pixels


def architecture(
    tensors: dict[str, Tensor],
    settings: dict[str, Any],
    dialect: str,
    norm_after_pooling: bool = False,
    turning: Turning | None = None,
) -> ViTConfig:
    """The configuration of `tensors`, which are named our way; ValueError if they are of no Vision Transformer.

    Of the settings only what shapes cannot tell is used: heads, epsilon, pooling, and a picture that is not square.
    Positions without a place for the class token get one, of zeros. A class token that the head does not read, as in
    MAE's fine-tuned models, is one register more. `norm_after_pooling` is what their name of the last norm tells,
    `turning` how their queries and keys are turned.
    """
    arguments = settings.get("model_args")  # where timm keeps them
    settings = (arguments if isinstance(arguments, dict) else {}) | settings
    try:
        kernel, classes = tensors["patches.project.weight"], tensors.get("head.weight")
        width, side = kernel.shape[0], kernel.shape[-1]
        if kernel.shape[1:] != (3, side, side):
            raise ValueError(f"the patch embedding {tuple(kernel.shape)} does not read square patches of three colours")
        into, out_of = tensors["blocks.0.mlp.0.weight"].shape[0], tensors["blocks.0.mlp.2.weight"].shape[1]
        own = ("class_token" in tensors) + ("distillation_token" in tensors)
        placed = "positions" in tensors or turning is None
        grid = grid_of(tensors, own, settings, side) if placed else usual_grid(settings, side)
        if "class_token" in tensors and settings.get("global_pool") == "token":
            norm_after_pooling = False  # of the class token alone a norm is the same before and after
        elif "class_token" in tensors and (norm_after_pooling or settings.get("global_pool") == "avg"):
            class_to_register(tensors)
        turned = turning or Turning("none", 100.0)
        scale, registers = tensors.get("blocks.0.branch1.0.scale"), tensors.get("registers")
        return ViTConfig(
            num_classes=1 if classes is None else classes.shape[0],
            image_size=(grid[0] * side, grid[1] * side),
            patch_size=side,
            width=width,
            depth=depth_of(tensors),
            heads=heads_of(width, settings),
            mlp_dim=out_of,
            activation="swiglu" if into == 2 * out_of else "gelu",
            norm_eps=epsilon_of(settings, dialect),
            pooling=pooling_of(tensors, width),
            norm_after_pooling=norm_after_pooling,
            positions="learned" if placed else "none",
            # What the libraries do when they resize positions.
            antialias_positions=dialect in ("timm", "torchvision", "google") or registers is not None,
            distilled="distillation_token" in tensors,
            registers=0 if registers is None else registers.shape[1],
            layer_scale=None if scale is None else float(scale.float().mean()),
            norm_in_attention="blocks.0.attention.norm.weight" in tensors,
            norm_in_mlp="blocks.0.mlp.norm.weight" in tensors,
            rotary=turned.rotary,
            rotary_base=turned.rotary_base,
            rotary_grid=turned.rotary_grid,
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"they lack {error}" if isinstance(error, KeyError) else str(error)) from None


def class_to_register(tensors: dict[str, Tensor]) -> None:
    """Make the class token a register, which has no position: its own is added to it."""
    register = tensors.pop("class_token")
    if "positions" in tensors:
        register = register + tensors["positions"][:, :1]
        tensors["positions"] = tensors["positions"][:, 1:]
    tensors["registers"] = torch.cat([register, tensors["registers"]], dim=1) if "registers" in tensors else register


def pooling_of(tensors: dict[str, Tensor], width: int) -> Pooling:
    """What the head reads, by the tokens there are and by how much it reads."""
    if "class_token" not in tensors:
        return "average"
    head = tensors.get("head.weight")
    return "token+average" if head is not None and head.shape[1] == 2 * width else "token"


def depth_of(tensors: dict[str, Tensor]) -> int:
    """How many blocks there are, numbered from 0 without a gap."""
    numbers = {int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d{1,6})\.", name))}
    if numbers != set(range(len(numbers))):
        raise ValueError(f"their blocks are not numbered from 0 to {len(numbers) - 1}")
    return len(numbers)


def heads_of(width: int, settings: dict[str, Any]) -> int:
    """The heads that the settings name, or as many of the usual width as there is room for."""
    for name in ("num_attention_heads", "num_heads"):
        heads = settings.get(name)
        if isinstance(heads, int) and not isinstance(heads, bool):
            return heads
    if width % USUAL_HEAD:
        raise ValueError(f"nothing beside them says how many heads share the width {width}; it needs its config.json")
    return width // USUAL_HEAD


def epsilon_of(settings: dict[str, Any], dialect: str) -> float:
    """The epsilon of the norms."""
    epsilon = settings.get("layer_norm_eps", 1e-12 if dialect in ("huggingface", "huggingface-deit") else 1e-6)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ValueError(f"layer_norm_eps is {epsilon!r}; it should be a small number above 0")
    return epsilon


def grid_of(tensors: dict[str, Tensor], own: int, settings: dict[str, Any], side: int) -> tuple[int, int]:
    """Rows and columns of patches that the positions are for; gives the own tokens positions if they have none."""
    positions = tensors["positions"]
    count, told = positions.shape[1], told_grid(settings, side)
    for before in (own, 0):
        edge = math.isqrt(max(count - before, 0))
        for rows, columns in (told, (edge, edge)):
            if rows * columns == count - before > 0:
                if before != own:
                    nothing = torch.zeros(1, own, positions.shape[2], dtype=positions.dtype)
                    tensors["positions"] = torch.cat([nothing, positions], dim=1)
                return rows, columns
    raise ValueError(f"their {count} positions are of no square picture; it needs a config.json with its image size")


def told_grid(settings: dict[str, Any], side: int) -> tuple[int, int]:
    """The grid of the picture's size that the settings tell, (0, 0) where they tell none."""
    size = settings.get("image_size", settings.get("img_size"))
    if isinstance(size, list) and len(size) == 2 and all(isinstance(pixels, int) for pixels in size):
        return size[0] // side, size[1] // side
    return 0, 0


def usual_grid(settings: dict[str, Any], side: int) -> tuple[int, int]:
    """The grid of the images that a model without learned positions was made for; any other would do as well."""
    prepared = settings.get("pretrained_cfg")
    input_size = prepared.get("input_size") if isinstance(prepared, dict) else None
    size = settings.get("image_size", settings.get("img_size", input_size and input_size[1:]))
    size = [size] * 2 if isinstance(size, int) else size or [USUAL_SIDE] * 2
    return told_grid({"image_size": list(size)}, side)
