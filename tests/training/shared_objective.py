"""One process of several that have a part of a batch each: is the loss, and are the gradients, those of the whole?

Started by test_several_processes.py. Every case is computed twice in each process, once alone with the whole batch.
"""

import copy

import torch
import torch.distributed as dist
from torch import Tensor, nn

from corolla.features.backbones import Pretrained
from corolla.models.names import vit_config
from corolla.models.vit import DropPath, ViT
from corolla.precision import Precision
from corolla.preprocessing import Preprocessing
from corolla.processes import Processes, processes_here
from corolla.training.distillation import Distillation
from corolla.training.loss import TrainingLoss
from corolla.training.recipe import Recipe
from corolla.training.recipes.scratch import RECIPE
from corolla.training.sync_batch_norm import share_norms
from corolla.training.teachers import Teacher

PLAIN, PREPARED = Precision("no", ""), Preprocessing((16, 16))


class Looker(nn.Module):
    """A small backbone with a map in the middle and one at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 5, 8, 8), nn.Conv2d(5, 6, 1)

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        middle = self.first(images)
        last = self.last(middle)
        return (middle, last), last.mean(dim=(2, 3))


def objective(model: ViT, recipe: Recipe, weights: Tensor | None, taught: bool, processes: Processes) -> TrainingLoss:
    torch.manual_seed(5)
    distillation = None
    if taught:
        teacher = Teacher(Pretrained(Looker(), PREPARED, multiple=8), 3)
        nn.init.normal_(teacher.head.weight)
        distillation = Distillation(recipe, teacher, model, PREPARED, shared=processes.count > 1)
    return TrainingLoss(model, recipe, distillation, weights, PLAIN, processes).train()


def compare(name: str, taught: bool, weights: Tensor | None, mixed: bool) -> None:
    here = processes_here()
    torch.manual_seed(3)
    recipe = RECIPE.changed(feature_distill_weight=0.5, distill_alpha=0.4)
    whole_model = ViT(vit_config("vit_pico_conv8_16", 3, drop_path=0.5))
    for parameter in whole_model.parameters():
        nn.init.normal_(parameter, std=0.2)
    part_model = copy.deepcopy(whole_model)
    share_norms(part_model)
    images = torch.randn(5, 3, 16, 16)  # 5 images: no two processes have as many
    targets = torch.randn(5, 3).softmax(dim=1) if mixed else torch.tensor([0, 1, 2, 2, 0])
    whole = objective(whole_model, recipe, weights, taught, Processes())
    shared = objective(part_model, recipe, weights, taught, here)
    own = here.shard_range(5)
    shared.place(len(own))
    torch.manual_seed(9)
    expected = whole(images, targets)
    expected.backward()
    torch.manual_seed(9)
    loss = shared(images[own.start : own.stop], targets[own.start : own.stop])
    loss.backward()
    [total] = here.all_reduce(loss.item())
    assert abs(total / here.count - expected.item()) < 1e-5, (name, total / here.count, expected.item())
    theirs = dict(whole.named_parameters())
    for key, parameter in shared.named_parameters():
        if parameter.grad is None:
            assert theirs[key].grad is None, (name, key)
            continue
        dist.all_reduce(parameter.grad)
        torch.testing.assert_close(
            parameter.grad / here.count,
            theirs[key].grad,
            rtol=1e-3,
            atol=1e-5,
            msg=lambda said, key=key: f"{name}, {key}: {said}",
        )
    running = dict(whole.model.named_buffers())
    for key, buffer in shared.model.named_buffers():
        torch.testing.assert_close(buffer, running[key], rtol=1e-4, atol=1e-6)
    assert any(isinstance(module, DropPath) and module.place for module in part_model.modules())


if __name__ == "__main__":
    dist.init_process_group("gloo")
    balance = torch.tensor([0.5, 2.0, 1.0])
    for taught in (False, True):
        for weights in (None, balance):
            for mixed in (False, True):
                compare(f"taught {taught}, balanced {weights is not None}, mixed {mixed}", taught, weights, mixed)
    print(f"process {dist.get_rank()} is content")
    dist.destroy_process_group()
