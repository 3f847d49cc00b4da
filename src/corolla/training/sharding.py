"""Fully sharded training (FSDP, arXiv 2304.11277): every process holds a part of each weight, gradient and state.

For models that do not fit into one process with their optimizer's state. Whole tensors exist for a block at a time, and
where a file is written, so a checkpoint and a run folder are the same however a training was shared out.
"""

import sys
from typing import TYPE_CHECKING, TypeGuard

import torch
import torch.distributed as dist
from torch import Tensor, nn

from corolla.models.vit import DropPath, ViT

if TYPE_CHECKING:  # what shares out takes longer to load than a small training to read its images
    from torch.distributed.tensor import DTensor


def shard(model: ViT, root: nn.Module | None = None) -> None:
    """Share out the model's blocks, and what else `root` holds, over the processes that are joined."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(root if root is not None else model, mesh=mesh)


def is_dtensor(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether this process holds no more than a part of a tensor; there is none before something was shared out."""
    loaded = sys.modules.get("torch.distributed.tensor")
    return loaded is not None and isinstance(tensor, loaded.DTensor)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: all of an ordinary one."""
    return tensor.to_local() if is_dtensor(tensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor put together; every process has to ask for it."""
    return tensor.full_tensor() if is_dtensor(tensor) else tensor


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as `like` is."""
    if not is_dtensor(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def is_sharded(model: nn.Module) -> bool:
    """Whether the model's weights are shared out."""
    return any(is_dtensor(parameter) for parameter in model.parameters())


def whole_model(model: ViT) -> ViT:
    """The model itself, or a copy put together of the parts that the processes hold."""
    if not is_sharded(model):
        return model
    with torch.device("meta"):
        together = ViT(model.config)
    state = {name: whole(tensor).detach() for name, tensor in model.state_dict().items()}
    together.load_state_dict(state, assign=True)
    for module in together.modules():
        if isinstance(module, DropPath):
            module.reset()
    return together.train(model.training).requires_grad_(False)
