"""A teacher sees the student's view in its own size and colors, and stays as it is."""

import pytest
import torch
from torch import Tensor, nn

from corolla.features.backbones import Pretrained
from corolla.preprocessing import Preprocessing
from corolla.training.teachers import Teacher

PIXELS = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Raw(nn.Module):
    """A backbone that shows the images it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        return (images,), self.norm(images).mean(dim=(2, 3))


def teacher(multiple: int | None = None, **changes: object) -> Teacher:
    return Teacher(Pretrained(Raw(), Preprocessing(**({"image_size": (32, 32)} | changes)), multiple), 2)


def test_a_view_is_normalized_anew() -> None:
    own = teacher(mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
    theirs = Preprocessing((32, 32))
    _, [seen] = own.look(theirs.normalize(PIXELS), theirs)
    torch.testing.assert_close(seen, own.preprocessing.normalize(PIXELS), rtol=0, atol=1e-5)


def test_a_view_is_brought_to_the_teachers_size() -> None:
    own, flat = teacher(image_size=(48, 48)), torch.full((2, 3, 32, 32), 0.7)
    _, [seen] = own.look(flat, own.preprocessing)
    torch.testing.assert_close(seen, torch.full((2, 3, 48, 48), 0.7))


def test_a_teacher_never_goes_into_training_mode() -> None:
    own = teacher()
    own.train()
    before = own.backbone.norm.running_mean.clone()
    own.look(torch.randn(4, 3, 32, 32), own.preprocessing)
    assert not own.backbone.training
    assert torch.equal(before, own.backbone.norm.running_mean)


@pytest.mark.parametrize(("multiple", "pixels"), [(None, 96), (32, 64), (10, 50)])
def test_a_small_view_is_small_for_the_teacher_too_where_it_can_be(multiple: int | None, pixels: int) -> None:
    own = teacher(multiple, image_size=(96, 96))
    _, [seen] = own.look(torch.randn(2, 3, 24, 24), Preprocessing((48, 48)))
    assert seen.shape[-2:] == (pixels, pixels)
