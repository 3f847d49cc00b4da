"""The layers of a model with shapes, parameters and multiply-adds, found without computing or storing a number."""

from dataclasses import dataclass
from typing import Any

import torch
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from corolla.model import ViT, ViTConfig


@dataclass(frozen=True)
class Layer:
    """A module, or a tensor that a module learns directly."""

    path: str  # "" for the whole model, then `blocks.0.attention`
    kind: str
    shape: tuple[int, ...]  # of its output for one picture; of the tensor itself if it is one
    parameters: int
    multiply_adds: int


def walk(config: ViTConfig) -> list[Layer]:
    """Every module with parameters, in the order of the model's definition, the whole model first.

    The model lives on PyTorch's `meta` device, so even the largest takes no memory. Multiply-adds are half the
    operations that PyTorch counts in products of matrices (attention's own too) and convolutions; sums,
    normalisations and activations are left out, as is the custom.
    """
    with torch.device("meta"):
        model = ViT(config).eval()
        images = torch.empty(1, 3, *config.image_size)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note_shape(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        shapes[module] = tuple(output.shape)

    hooks = [module.register_forward_hook(note_shape) for module in model.modules()]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(images)
    for hook in hooks:
        hook.remove()
    counts = counter.get_flop_counts()
    layers = []
    for path, module in model.named_modules():
        parameters = sum(parameter.numel() for parameter in module.parameters())
        if parameters == 0 or isinstance(module, nn.ModuleList):
            continue
        operations = sum(counts.get(f"ViT.{path}".rstrip("."), {}).values())
        layers.append(Layer(path, type(module).__name__, shapes[module], parameters, operations // 2))
        layers += [
            Layer(f"{path}.{name}".lstrip("."), "learned tensor", tuple(tensor.shape), tensor.numel(), 0)
            for name, tensor in module.named_parameters(recurse=False)
            if name not in ("weight", "bias")
        ]
    return layers


def layer_table(layers: list[Layer]) -> Table:
    """The first block in full and one line for those after it, which are like it."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for title, justify in (
        ("layer", "left"),
        ("kind", "left"),
        ("output", "left"),
        ("parameters", "right"),
        ("multiply-adds", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    later = [layer for layer in layers if layer.kind == "Block"][1:]
    for layer in layers:
        parts = layer.path.replace("blocks.", "block ").split(".") if layer.path else []
        if layer in later[:1]:
            name = f"blocks 1 to {len(later)}" if len(later) > 1 else "block 1"
            table.add_row(f"  {name}", f"{len(later)} x Block", *figures(layer, len(later)))
        if not parts or not parts[0].startswith("block ") or parts[0] == "block 0":
            table.add_row("  " * len(parts) + (parts[-1] if parts else "model"), layer.kind, *figures(layer))
    return table


def figures(layer: Layer, times: int = 1) -> tuple[str, str, str]:
    """Shape, parameters and multiply-adds as they are shown, the figures of `times` such layers."""
    shape = " x ".join(str(side) for side in layer.shape)
    return shape, f"{times * layer.parameters:,}", f"{times * layer.multiply_adds:,}"
