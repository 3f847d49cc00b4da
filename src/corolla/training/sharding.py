"""Fully sharded training (FSDP, arXiv 2304.11277): every process holds a shard of weights, gradients and states.

For models that do not fit into one process with their optimizer state. Whole tensors exist for one block at a time,
and when a file is written, so checkpoints and run folders do not depend on the sharding.
"""

import sys
from typing import TYPE_CHECKING, TypeGuard

import torch
import torch.distributed as dist
from torch import Tensor, nn

from corolla.models.vit import DropPath, ViT

if TYPE_CHECKING:  # loading DTensor takes longer than a small training needs to read its images
    from torch.distributed.tensor import DTensor


def shard(model: ViT, root: nn.Module | None = None) -> None:
    """Shard the model's blocks, and everything else in `root`, over the connected processes."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(root if root is not None else model, mesh=mesh)


def is_dtensor(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether a tensor is sharded, so that this process holds only a part of it."""
    loaded = sys.modules.get("torch.distributed.tensor")
    return loaded is not None and isinstance(tensor, loaded.DTensor)


def to_local(tensor: Tensor) -> Tensor:
    """The local shard of a tensor; the tensor itself if it is not sharded."""
    return tensor.to_local() if is_dtensor(tensor) else tensor


def full_tensor(tensor: Tensor) -> Tensor:
    """The full tensor, gathered if it is sharded; every process has to call this."""
    return tensor.full_tensor() if is_dtensor(tensor) else tensor


def distribute_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A full tensor, sharded like `like`."""
    if not is_dtensor(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def is_sharded(model: nn.Module) -> bool:
    """Whether the model's weights are sharded."""
    return any(is_dtensor(parameter) for parameter in model.parameters())


def whole_model(model: ViT) -> ViT:
    """The model itself, or an unsharded copy gathered from the processes."""
    if not is_sharded(model):
        return model
    with torch.device("meta"):
        together = ViT(model.config)
    state = {name: full_tensor(tensor).detach() for name, tensor in model.state_dict().items()}
    together.load_state_dict(state, assign=True)
    for module in together.modules():
        if isinstance(module, DropPath):
            module.reset()
    return together.train(model.training).requires_grad_(False)
