"""What a training makes small, as one module: the model with all that is computed to compare it with its targets.

One module and not several, because what shares a training out over processes (DDP, FSDP) watches the calls of one.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from corolla.models.vit import DropPath, ViT
from corolla.precision import Precision
from corolla.processes import Processes
from corolla.training.distillation import Distillation
from corolla.training.recipe import Recipe


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
        """Know that this process has `own` images of every batch; every process has to say so."""
        if self.processes.count == 1:
            return
        first, whole = self.processes.places(own)
        self.share = self.processes.count * own / whole
        for module in self.model.modules():
            if isinstance(module, DropPath):
                module.place = first, whole

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of normalized views (B, 3, H, W) with targets (B,) or (B, classes)."""
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
        # It is divided by the weights of these labels, and should be by those of the whole batch.
        own = weights[targets].sum()
        [whole] = self.processes.totals(float(own))
        return loss * own * self.processes.count / (whole * self.share)
