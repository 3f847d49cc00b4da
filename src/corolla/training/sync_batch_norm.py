"""Batch norm statistics over a whole batch that several processes share, as a single process would compute them.

PyTorch's own `SyncBatchNorm` does the same, but only on GPUs.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Sum(torch.autograd.Function):
    """A tensor summed over the processes; its gradient is summed too, because every process's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """The sum."""
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The sum of the gradients of all processes."""
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def shared_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance of each channel (C,) of maps (B, C, h, w) over all processes' images, and the count.

    Combined from each process's own moments (Chan, Golub & LeVeque 1983, eq. 1.5), without loss of digits.
    """
    x = x.float()
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    own = torch.full((1,), float(x.numel() // x.shape[1]), device=x.device)
    sums: Tensor = Sum.apply(torch.cat([mean * own, own]))
    count = sums[-1:].detach()
    whole_mean = sums[:-1] / count
    apart: Tensor = Sum.apply((variance + (mean - whole_mean) ** 2) * own)
    return whole_mean, apart / count, count


class SyncBatchNorm(nn.BatchNorm2d):
    """Batch norm (arXiv 1502.03167) over the batch of all processes together."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, C, h, w) to the same shape."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        mean, variance, count = shared_moments(input)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp_min(1), self.momentum)  # unbiased
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        scaled = input.float() * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
        return scaled.to(input.dtype)


def share_norms(model: nn.Module) -> None:
    """Replace every batch norm of `model` with `SyncBatchNorm`; weights and their names stay."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm2d:
                shared = SyncBatchNorm(child.num_features, child.eps, child.momentum)
                shared.load_state_dict(child.state_dict())
                setattr(parent, name, shared.train(child.training))


def shared_standard(x: Tensor) -> Tensor:
    """Maps (B, C, h, w) with every channel standardized to mean 0 and deviation 1 over all processes' images."""
    mean, variance, count = shared_moments(x)
    spread = (variance * count / (count - 1).clamp_min(1)).sqrt().clamp_min(1e-6)
    return (x - mean.view(-1, 1, 1)) / spread.view(-1, 1, 1)
