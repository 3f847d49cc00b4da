"""Low-rank adaptation (LoRA, arXiv 2106.09685): a frozen matrix W learns only a correction B A of a small rank.

For models too large to train fully on this machine: gradients and optimizer state exist only for a few percent of the
weights. A finished run holds W + B A, so its readers need no LoRA code.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from corolla.models.vit import ViT


class LoRALinear(nn.Module):
    """W + B A: B starts at zero, so the initial model is the pretrained one (section 4.1)."""

    def __init__(self, matrix: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = matrix.shape
        rank = min(rank, rows, columns)
        self.a = nn.Parameter(torch.empty(rank, columns))
        self.b = nn.Parameter(torch.zeros(rows, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, matrix: Tensor) -> Tensor:
        """The matrix (rows, columns) with its correction."""
        return matrix + self.b @ self.a


def adapt(model: ViT, rank: int) -> None:
    """Freeze the model except its heads, and give every matrix of its blocks a correction of `rank`."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("head.", "head_dist.")))
    for module in list(model.blocks.modules()):
        if isinstance(module, nn.Linear):
            parametrize.register_parametrization(module, "weight", LoRALinear(module.weight, rank))


def merged(model: ViT) -> ViT:
    """The model with its corrections merged into its matrices; the model itself if there are none."""
    corrected = {name: module for name, module in model.named_modules() if parametrize.is_parametrized(module)}
    if not corrected:
        return model
    state = {name: tensor for name, tensor in model.state_dict().items() if ".parametrizations." not in name}
    state |= {f"{name}.weight": module.weight for name, module in corrected.items()}
    whole = ViT(model.config)
    whole.load_state_dict(state)
    return whole.train(model.training)
