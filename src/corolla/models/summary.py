"""The layers of a model with shapes, parameters and MACs, found without computing or storing a number."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from corolla.models.config import ViTConfig
from corolla.models.vit import ViT


@dataclass(frozen=True)
class Layer:
    """A module, or a tensor that a module learns directly."""

    path: str  # "" for the whole model, then `blocks.0.attention`
    kind: str
    shape: tuple[int, ...]  # of its output for one image; of the tensor itself if it is one
    parameters: int
    macs: int


def model_summary(config: ViTConfig) -> list[Layer]:
    """Every module with parameters, in the order of the model's definition, the whole model first.

    The model lives on PyTorch's `meta` device, so even the largest takes no memory. MACs are half the
    operations that PyTorch counts in products of matrices (attention's own too) and convolutions; sums,
    normalizations and activations are left out, as is the custom.
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
