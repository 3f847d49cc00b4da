"""The distillation loss: nothing to learn from an equal, and the gradient goes to the student alone."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from corolla.features.backbones import Pretrained
from corolla.models.config import ViTConfig
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from corolla.training.distillation import Distillation, guide
from corolla.training.recipes.distill import RECIPE
from corolla.training.teachers import Teacher

PREPARED = Preprocessing((16, 16))
IMAGES = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


class Same(nn.Module):
    """A backbone that is the student itself."""

    def __init__(self, model: ViT) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        z = self.model.forward_features(images)
        return (self.model.patch_tokens(z).transpose(1, 2).reshape(len(z), -1, 2, 2),), self.model.pool(z)


def student(**changes: bool) -> ViT:
    torch.manual_seed(0)
    model = ViT(replace(vit_config("vit_pico_patch8_16", 3), **changes))
    for head in (model.head, model.head_dist):
        if head is not None:
            nn.init.normal_(head.weight)
    return model


def teacher_of(model: ViT) -> Teacher:
    teacher = Teacher(Pretrained(Same(model), PREPARED, multiple=None), 3)
    teacher.head.load_state_dict(model.head.state_dict())
    return teacher


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, targets, label_smoothing=RECIPE.label_smoothing)


def loss_of(model: ViT, teacher: Teacher, **changes: object) -> Tensor:
    distillation = Distillation(RECIPE.changed(**changes), teacher, model, PREPARED)
    value: Tensor = distillation(model, IMAGES, LABELS, cross_entropy)
    return value


def test_a_teacher_that_is_the_student_teaches_nothing() -> None:
    model = student()
    loss = loss_of(model, teacher_of(model), distill_alpha=1.0, feature_distill_weight=0.0)
    assert abs(loss.item()) < 1e-3
    loss.backward()
    assert float(model.head.weight.grad.abs().max()) < 1e-2


def test_shares_add_up() -> None:
    model, teacher = student(), teacher_of(student())
    nn.init.normal_(teacher.head.weight)
    parts = {"feature_distill_weight": 0.0, "distill_temperature": 2.0}
    labels, taught = (loss_of(model, teacher, distill_alpha=share, **parts).item() for share in (0.0, 1.0))
    assert loss_of(model, teacher, distill_alpha=0.25, **parts).item() == pytest.approx(0.75 * labels + 0.25 * taught)
    assert taught > 0.1


def test_hard_distillation_is_cross_entropy_with_the_teachers_choice() -> None:
    model, teacher = student(), teacher_of(student())
    nn.init.normal_(teacher.head.weight)
    with torch.no_grad():
        choice, logits = teacher(IMAGES)[0].argmax(dim=1), model(IMAGES).float()
    expected = nn.functional.cross_entropy(logits, choice)
    loss = loss_of(model, teacher, distillation_type="hard", distill_alpha=1.0, feature_distill_weight=0.0)
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=1e-2)


def test_the_distillation_token_learns_from_the_teacher_and_the_class_token_from_the_labels() -> None:
    model = student(distilled=True)
    teacher = teacher_of(student())
    loss_of(model, teacher, distill_alpha=1.0, feature_distill_weight=0.0).backward()
    assert model.head_dist is not None
    assert float(model.head_dist.weight.grad.abs().max()) > 0
    assert float(model.head.weight.grad.abs().max()) == 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_guidance_is_zero_for_the_teachers_own_map_and_two_for_its_opposite() -> None:
    config: ViTConfig = vit_config("vit_pico_patch8_16", 3)
    feature_map = torch.randn(4, config.embed_dim, 3, 5, generator=torch.Generator().manual_seed(0)) * 7 + 3
    center, spread = feature_map.mean(dim=(0, 2, 3), keepdim=True), feature_map.std(dim=(0, 2, 3), keepdim=True)
    tokens = ((feature_map - center) / spread).flatten(2).transpose(1, 2)
    assert float(guide(tokens, feature_map, (3, 5))) == pytest.approx(0, abs=1e-5)
    assert float(guide(-tokens, feature_map, (3, 5))) == pytest.approx(2, abs=1e-5)


def test_maps_of_unequal_grids_meet_on_the_coarser() -> None:
    tokens, feature_map = torch.randn(2, 36, 8), torch.randn(2, 8, 4, 3)
    value = guide(tokens, feature_map, (6, 6))
    assert value.shape == ()
    assert 0 < float(value) < 2


class Deep(Same):
    """The student itself, with its patch embedding as the map of the middle."""

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        (last,), feature = super().forward(images)
        tokens = self.model.patch_embed(images)
        return (tokens.transpose(1, 2).reshape(len(tokens), -1, 2, 2), last), feature


def test_the_middle_of_the_teacher_guides_the_patch_embedding() -> None:
    model = student()
    teacher = Teacher(Pretrained(Deep(student()), PREPARED, multiple=None), 3)
    distillation = Distillation(RECIPE.changed(distill_alpha=0.0, feature_distill_weight=1.0), teacher, model, PREPARED)
    optimizer = torch.optim.Adam(distillation.parameters(), lr=0.05)
    losses = []
    for _ in range(60):  # a projection that undoes the standardization makes the maps equal
        loss = distillation(model, IMAGES, LABELS, cross_entropy)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert len(distillation.project) == 2
    assert losses[-1] < losses[0] - 1.0
    assert all(parameter.grad is not None for parameter in distillation.parameters())
