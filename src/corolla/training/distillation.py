"""Distillation: the student learns its teacher's predictions for the same augmented crop.

DeiT's soft and hard distillation (arXiv 2012.12877, section 3) with a separate head or the only head, also on crops
mixed by MixUp and CutMix, as in function matching (2106.05237); and feature distillation from the teacher's feature
maps into the student's patches (2207.10026), which carry far more information on a small data set than its labels.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from corolla.models.vit import Intermediates, ViT
from corolla.preprocessing import Preprocessing
from corolla.training.recipe import Recipe
from corolla.training.sync_batch_norm import shared_standard
from corolla.training.teachers.teacher import Teacher


class Distillation(nn.Module):
    """The loss of a student with a teacher; holds the projections from patches to the teacher's features."""

    def __init__(
        self, recipe: Recipe, teacher: Teacher, model: ViT, preprocessing: Preprocessing, shared: bool = False
    ) -> None:
        super().__init__()
        self.shared = shared  # several processes have a part of each batch
        self.recipe, self.teachers, self.preprocessing = recipe, [teacher], preprocessing  # a list: not a submodule
        self.project = nn.ModuleList(nn.Linear(model.config.embed_dim, channels) for channels in teacher.channels)
        self.project.requires_grad_(
            recipe.feature_distill_weight > 0
        )  # DDP and FSDP reject trainable weights that are not used

    def forward(
        self, model: ViT, images: Tensor, targets: Tensor, labeled: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """The loss of normalized augmented crops (B, 3, H, W) with targets (B,) or (B, classes).

        `labeled` computes the labels' part of it from logits (B, classes) and these targets.
        """
        recipe, [teacher] = self.recipe, self.teachers
        answer, maps = teacher.look(images, self.preprocessing)
        seen = Intermediates(layers=(), with_attention=False)
        z = model.forward_features(images, seen)
        logits = model.head(model.pool(z)).float()
        taught = logits if model.head_dist is None else model.head_dist(z[:, 1]).float()
        # The teacher's middle feature map is the target of the patch embedding, its last one of the last layer.
        layers = (seen.patches, model.patch_tokens(z))[-len(maps) :]
        guided = [project(layer).float() for project, layer in zip(self.project, layers, strict=True)]
        loss = labeled(logits, targets)
        loss = (1 - recipe.distill_alpha) * loss + recipe.distill_alpha * self.taught(taught, answer.float())
        if recipe.feature_distill_weight > 0:
            grid = model.config.grid((images.shape[-2], images.shape[-1]))
            apart = [guide(mine, theirs.float(), grid, self.shared) for mine, theirs in zip(guided, maps, strict=True)]
            loss = loss + recipe.feature_distill_weight * sum(apart)
        return loss

    def taught(self, logits: Tensor, answer: Tensor) -> Tensor:
        """The distillation loss between the student's and the teacher's logits, both (B, classes)."""
        if self.recipe.distillation_type == "hard":
            return F.cross_entropy(logits, answer.argmax(dim=1))  # eq. 3
        heat = self.recipe.distill_temperature
        student, teacher = (logits / heat).log_softmax(dim=1), (answer / heat).log_softmax(dim=1)
        return heat**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)  # eq. 2


def guide(guided: Tensor, feature_map: Tensor, grid: tuple[int, int], shared: bool = False) -> Tensor:
    """1 - cosine between projected patches (B, N, C) on `grid` and the teacher's map (B, C, h, w), on the coarser grid.

    First every channel of the map is standardized over the batch, across all processes if it is `shared`: some
    channels are a hundred times as large as others.
    """
    rows, columns = (min(mine, theirs) for mine, theirs in zip(grid, feature_map.shape[-2:], strict=True))
    student = guided.transpose(1, 2).reshape(len(guided), -1, *grid)
    student, teacher = (F.adaptive_avg_pool2d(each, (rows, columns)) for each in (student, feature_map))
    if shared:
        teacher = shared_standard(teacher)
    else:
        center, spread = teacher.mean(dim=(0, 2, 3), keepdim=True), teacher.std(dim=(0, 2, 3), keepdim=True)
        teacher = (teacher - center) / spread.clamp_min(1e-6)
    return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()
