"""Muon: momentum with orthogonalized updates, for the matrices of the encoder's blocks and the stem's kernels.

Keller Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/), with Nesterov momentum and the scale that lets
it use AdamW's learning rate and weight decay (Moonlight, arXiv 2502.16982, section 2.2).

`torch.optim.Muon` gives the same updates and is the reference in our tests. It always computes in bfloat16 and one
matrix at a time, which on a CPU without bfloat16 units took longer than the rest of the training step; here the caller
chooses the precision, and matrices of one shape are orthogonalized together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from corolla.training.sharding import distribute_like, full_tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that drives every singular value towards 1
ITERATIONS = 5


def orthogonalise(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly (singular values 0.5 to 1.5), by Newton-Schulz iteration.

    `matrices` is a stack (n, rows, columns); the result has its shape and `dtype`, which the iteration runs in.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).to(dtype)  # the Gram matrix is formed on the shorter side
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(Optimizer):
    """Muon with decoupled weight decay, for matrices and for kernels (out, in, height, width).

    A kernel is treated as the matrix (out, in x height x width) that multiplies each patch of its input.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.dtype = dtype  # of the iteration only; momentum and parameters keep their own
        for group in self.param_groups:
            if any(parameter.ndim < 2 for parameter in group["params"]):
                raise ValueError("Muon optimizes matrices and kernels; give everything else to AdamW")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            shapes: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.shape].append((parameter, parameter.grad))
            for shape, pairs in shapes.items():
                parameters = [parameter for parameter, _ in pairs]
                gradients = [gradient for _, gradient in pairs]
                buffers = [self.buffer(parameter) for parameter in parameters]
                torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
                ahead = torch._foreach_lerp(gradients, buffers, group["momentum"])  # Nesterov
                # Orthogonalization needs the whole matrix, so a sharded one is gathered first.
                matrices = torch.stack([full_tensor(update).flatten(1) for update in ahead])  # (n, rows, columns)
                updates = [
                    distribute_like(update.view(shape), like=parameters[0])
                    for update in orthogonalise(matrices, self.dtype).to(parameters[0].dtype)
                ]
                # 0.2 is the usual root mean square of an AdamW update (arXiv 2502.16982, eq. 4).
                rate = 0.2 * max(matrices.shape[1:]) ** 0.5 * group["lr"]
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parameters, updates, alpha=-rate)

    def buffer(self, parameter: Tensor) -> Tensor:
        """The momentum of one parameter, zero at first."""
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        return momentum
