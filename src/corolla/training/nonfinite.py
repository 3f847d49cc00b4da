"""NaN and infinity are errors, never silent: the error names the first layer that computed one."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.models.vit import ViT


class NotFiniteError(CorollaError):
    """A loss or gradient that is infinite or NaN; the message says where and what to change."""


def first_bad_layer(model: ViT, images: Tensor) -> str:
    """The name of the first layer, in the order of computation, whose weights or output are not finite, or "".

    Runs the batch (B, 3, H, W) once more with a hook on every layer; a training without NaN never pays for it.
    """
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weights = all(bool(p.isfinite().all()) for p in module.parameters(recurse=False))
            if not found and not (weights and bool(output.isfinite().all())):
                found.append(name)

        return look

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    hooks = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # compiled code ignores hooks
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def diagnose_nonfinite(model: ViT, images: Tensor, what: str, epoch: int, step: int) -> NotFiniteError:
    """The error for a batch whose `what` ("loss" or "gradient") is not finite; `epoch` and `step` count from 1."""
    layer = first_bad_layer(model, images)
    if not layer:  # the forward pass is finite, so the backward pass is not
        broken = [n for n, p in model.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
        layer = f"gradient of {broken[-1]}" if broken else "the loss itself"
    return NotFiniteError(
        f"the {what} is not finite at epoch {epoch}, step {step}; first bad layer: {layer}. "
        "The weights of the last good epoch are saved; try a third of the learning rate (--learning-rate) "
        "or a longer warm-up (--warmup), then --resume or start again"
    )
