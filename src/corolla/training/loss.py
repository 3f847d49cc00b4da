"""The training loss as one module: the model and everything that compares its output with the targets.

It is one module because DDP and FSDP wrap the calls of one module. NaN and infinity are errors, never silent: the error
names the first layer that computed one.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.models.vit import DropPath, ViT
from corolla.precision import Precision
from corolla.processes import Processes
from corolla.training.distillation import Distillation
from corolla.training.recipe import Recipe


def balanced_class_weights(manifest: Manifest) -> Tensor:
    """Weights (classes,) that give every class the same weight in the loss, with mean 1 over the training images."""
    counts = torch.tensor([float(count) for count in manifest.counts("train").values()])
    return counts.sum() / (len(counts) * counts)


class TrainingLoss(nn.Module):
    """The loss of one process's part of a batch, weighted so that the mean over the processes is the batch's loss."""

    def __init__(
        self,
        model: ViT,
        recipe: Recipe,
        distillation: Distillation | None,
        class_weights: Tensor | None,
        precision: Precision,
        processes: Processes,
    ) -> None:
        super().__init__()
        self.model, self.distillation = model, distillation
        self.recipe, self.precision, self.processes = recipe, precision, processes
        self.class_weights = class_weights
        self.share = 1.0

    def place(self, own: int) -> None:
        """Set this process's number of images per batch, `own`; every process has to call this."""
        if self.processes.count == 1:
            return
        first, whole = self.processes.shard_offsets(own)
        self.share = self.processes.count * own / whole
        for module in self.model.modules():
            if isinstance(module, DropPath):
                module.place = first, whole

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of normalized augmented crops (B, 3, H, W) with targets (B,) or (B, classes)."""
        with self.precision.autocast(images.device.type):
            if self.distillation is not None:
                loss: Tensor = self.distillation(self.model, images, targets, self.labeled)
            else:
                loss = self.labeled(self.model(images).float(), targets)
        return loss * self.share

    def labeled(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of logits (B, classes), smoothed and weighted as the recipe says."""
        weights, smoothing = self.class_weights, self.recipe.label_smoothing
        loss = F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
        if weights is None or targets.ndim == 2 or self.processes.count == 1:
            return loss
        # The loss is divided by the sum of this part's weights, and should be by that of the whole batch.
        own = weights[targets].sum()
        [whole] = self.processes.all_reduce(float(own))
        return loss * own * self.processes.count / (whole * self.share)


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
