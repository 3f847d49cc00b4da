"""Finds the Vision Transformer configuration of a set of tensors from their shapes and the settings beside them."""

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from corolla.models.config import Activation, GlobalPool, ViTConfig
from corolla.weights.hints import CheckpointHints, Turning

USUAL_HEAD = 64  # width of a head in most published sizes
USUAL_SIDE = 224  # pixels
HEADS = {1152: 16, 1280: 16, 1408: 16, 1664: 16}  # So400m, Huge, giant and gigantic: widths whose heads are wider
EPSILON = {"huggingface": 1e-12, "huggingface-deit": 1e-12}
HOW_TO_TELL = '{"img_size": [HEIGHT, WIDTH]}'


def architecture(
    tensors: dict[str, Tensor], told: CheckpointHints, dialect: str, norm_after_pooling: bool = False
) -> ViTConfig:
    """The configuration of `tensors` with our names; ValueError if they are not from a Vision Transformer.

    The settings `told` are used only where shapes are not enough; a contradiction is an error.
    Positions without an entry for the class token get one of zeros, and those of registers are added to them. A class
    token that the head does not read, as in MAE's fine-tuned models, becomes a register, and so does a distillation
    token without a head. `norm_after_pooling` comes from their name of the last norm.
    """
    try:
        kernel, classes = tensors["patch_embed.proj.weight"], tensors.get("head.weight")
        width, side = kernel.shape[0], kernel.shape[-1]
        if kernel.shape[1:] != (3, side, side):
            raise ValueError(f"the patch embedding {tuple(kernel.shape)} does not read square patches of three colors")
        into, out_of = tensors["blocks.0.mlp.fc1.weight"].shape[0], tensors["blocks.0.mlp.fc2.weight"].shape[1]
        activation = activation_of(into, out_of, told)
        depth = depth_of(tensors)
        agree(told, {"depth": depth, "embed_dim": width, "patch_size": side})
        if told.without_biases:
            without_biases(tensors, depth)
        turning = told.turning or Turning()
        placed = "pos_embed" in tensors or turning.rotary == "none"
        grid = grid_of(tensors, told, side, dialect) if placed else usual_grid(told, side)
        if "dist_token" in tensors and "head.weight" in tensors and "head_dist.weight" not in tensors:
            token_to_register(tensors, "dist_token", 1)
        mean = told.global_pool == "avg" or (norm_after_pooling and told.global_pool is None)
        if told.global_pool == "token" and "cls_token" not in tensors:
            raise ValueError("its settings say that the head reads the class token, but there is none")
        if "cls_token" in tensors and mean:
            token_to_register(tensors, "cls_token", 0)
        scale, registers = tensors.get("blocks.0.ls1.gamma"), tensors.get("reg_token")
        return ViTConfig(
            num_classes=1 if classes is None else classes.shape[0],
            image_size=(grid[0] * side, grid[1] * side),
            patch_size=side,
            embed_dim=width,
            depth=depth,
            num_heads=num_heads_of(width, told),
            mlp_dim=out_of,
            activation=activation,
            norm_eps=told.epsilon or EPSILON.get(dialect, 1e-6),
            global_pool=global_pool_of(tensors, width),
            norm_after_pooling=norm_after_pooling and mean,  # of the class token alone, it is the norm of all tokens
            pos_embed="learned" if placed else "none",
            # As the libraries resize positions.
            pos_embed_antialias=dialect in ("timm", "torchvision", "google") or registers is not None,
            distilled="dist_token" in tensors,
            num_reg_tokens=0 if registers is None else registers.shape[1],
            layer_scale=None if scale is None else float(scale.float().mean()),
            norm_in_attention="blocks.0.attn.norm.weight" in tensors,
            norm_in_mlp="blocks.0.mlp.norm.weight" in tensors,
            rotary=turning.rotary,
            rotary_base=turning.rotary_base,
            rotary_grid=turning.rotary_grid,
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"they lack {error}" if isinstance(error, KeyError) else str(error)) from None


def agree(told: CheckpointHints, found: dict[str, int]) -> None:
    """Raise ValueError if the settings contradict the tensors."""
    for name, value in told.shapes.items():
        if value != found[name]:
            raise ValueError(f"its settings say {name} {value}, but its tensors have {found[name]}")


def activation_of(into: int, out_of: int, told: CheckpointHints) -> Activation:
    """The activation of an MLP, whose first layer has `into` output and whose second `out_of` input channels."""
    found: Activation = "swiglu" if into == 2 * out_of else "gelu"
    if told.activation is not None and told.activation != found:
        names = {"gelu": "a GELU without a gate", "swiglu": "a SiLU with a gate"}
        raise ValueError(f"its settings have {names[told.activation]}, but its tensors are for {names[found]}")
    return found


def without_biases(tensors: dict[str, Tensor], depth: int) -> None:
    """Add zero biases to queries, keys and values if no block has any; this does not change the outputs."""
    names = [f"blocks.{number}.attn.qkv.bias" for number in range(depth)]
    if not any(name in tensors for name in names):
        for name in names:
            tensors[name] = torch.zeros(tensors[name.replace("bias", "weight")].shape[0])


def token_to_register(tensors: dict[str, Tensor], name: str, place: int) -> None:
    """Make a token a register, which has no position: the token's position, at `place`, is added to it."""
    register = tensors.pop(name)
    if "pos_embed" in tensors:
        positions = tensors["pos_embed"]
        register = register + positions[:, place : place + 1]
        tensors["pos_embed"] = torch.cat([positions[:, :place], positions[:, place + 1 :]], dim=1)
    tensors["reg_token"] = torch.cat([register, tensors["reg_token"]], dim=1) if "reg_token" in tensors else register


def global_pool_of(tensors: dict[str, Tensor], width: int) -> GlobalPool:
    """The pooling, from the existing tokens and the input size of the head."""
    if "cls_token" not in tensors:
        return "avg"
    head = tensors.get("head.weight")
    return "token+avg" if head is not None and head.shape[1] == 2 * width else "token"


def depth_of(tensors: dict[str, Tensor]) -> int:
    """The number of blocks, which must be numbered from 0 without a gap."""
    numbers = {int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d{1,6})\.", name))}
    if numbers != set(range(len(numbers))):
        raise ValueError(f"their blocks are not numbered from 0 to {len(numbers) - 1}")
    return len(numbers)


def num_heads_of(width: int, told: CheckpointHints) -> int:
    """The number of heads in the settings, or the usual number in published models of this width."""
    if told.num_heads is not None:
        return told.num_heads
    if width in HEADS:
        return HEADS[width]
    if width % USUAL_HEAD:
        raise ValueError(
            f"nothing beside them says how many heads divide the width {width}; give --heads, or a config.json with "
            "num_heads beside them"
        )
    return width // USUAL_HEAD


def grid_of(tensors: dict[str, Tensor], told: CheckpointHints, side: int, dialect: str) -> tuple[int, int]:
    """The rows and columns of patches of the positions.

    Afterwards the class and the distillation token have one position each, and registers none. ValueError if the
    image size is unknown or ambiguous.
    """
    positions = tensors["pos_embed"]
    own = ("cls_token" in tensors) + ("dist_token" in tensors)
    registers = tensors["reg_token"].shape[1] if "reg_token" in tensors else 0
    count, befores = positions.shape[1], {own}
    if dialect == "timm" and "dist_token" not in tensors:  # other libraries give the class token a position
        befores |= {own + registers, 0}
        befores -= {0} if told.class_position and own + registers else set()
        befores = befores if told.class_position is not False else {0}
    asked = [
        (before, (height // side, width // side))
        for height, width in told.image_sizes
        for before in sorted(befores, reverse=True)
        if (height // side) * (width // side) == count - before > 0
    ]
    square = [
        (before, (edge, edge))
        for before in sorted(befores, reverse=True)
        if (edge := math.isqrt(max(count - before, 0))) and edge * edge == count - before
    ]
    if not asked and not square:
        raise ValueError(
            f"their {count} positions do not fit a square image; put a config.json with {HOW_TO_TELL} beside them"
        )
    before, grid = (asked or square)[0]
    sure = asked or told.class_position is not None or registers or "blocks.0.ls1.gamma" in tensors
    if len(square) > 1 and not asked:
        raise ambiguous(count, square, side)
    if before < own and not sure:  # DeiT III and models with registers have none for it; others may be for a wide image
        raise ambiguous(count, [(before, grid), (own, None)], side)
    place = positions[:, :0].new_zeros(1, own, positions.shape[2]) if before == 0 else positions[:, :own]
    if before > own:
        tensors["reg_token"] = tensors["reg_token"] + positions[:, own:before]
    tensors["pos_embed"] = torch.cat([place, positions[:, before:]], dim=1)
    return grid


def usual_grid(told: CheckpointHints, side: int) -> tuple[int, int]:
    """The grid for the usual image size of a model without learned positions; any other would work, too."""
    height, width = told.image_sizes[0] if told.image_sizes else (USUAL_SIDE, USUAL_SIDE)
    return height // side, width // side


def ambiguous(count: int, readings: Sequence[tuple[int, tuple[int, int] | None]], side: int) -> ValueError:
    """The error for ambiguous positions; `readings` are the numbers of prefix positions and the grids."""
    said = [
        (f"{grid[0]} x {grid[1]} patches (an image {grid[0] * side} high and {grid[1] * side} wide)"
         if grid else f"{count - before} patches (an image that is not square)")
        + f" and {before or 'none'} for other tokens"
        for before, grid in readings
    ]  # fmt: skip
    return ValueError(
        f"their {count} positions may be for {', or for '.join(said)}; put a config.json with {HOW_TO_TELL} beside them"
    )
