"""Fully sharded training (FSDP, arXiv 2304.11277): every process holds a part of each weight, gradient and state.

For models that do not fit into one process with their optimiser's state. Whole tensors exist for a block at a time, and
where a file is written, so a checkpoint and a run folder are the same however a training was shared out.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from corolla.branches import DropPath
from corolla.model import ViT


def shard(model: ViT, root: nn.Module | None = None) -> None:
    """Share out the model's blocks, and what else `root` holds, over the processes that are joined."""
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(root if root is not None else model, mesh=mesh)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: all of an ordinary one."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor put together; every process has to ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as `like` is."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def is_sharded(model: nn.Module) -> bool:
    """Whether the model's weights are shared out."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


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
