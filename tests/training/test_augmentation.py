import pytest
import torch

from corolla.training.augmentation import POLICIES, Views, mixer, seed_of
from corolla.training.recipes.scratch import RECIPE

PICTURE = torch.randint(0, 256, (3, 60, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_view_depends_on_its_seed_alone(policy: str) -> None:
    views = Views(RECIPE.changed(policy=policy))
    torch.manual_seed(1)
    first = views(PICTURE, 32, 5)
    torch.manual_seed(2)
    torch.rand(17)
    assert torch.equal(first, views(PICTURE, 32, 5))
    assert not torch.equal(first, views(PICTURE, 32, 6))
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8


def test_making_a_view_leaves_the_callers_randomness_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    Views(RECIPE)(PICTURE, 32, 5)
    assert torch.equal(torch.rand(4), expected)


def test_the_picture_itself_is_never_changed() -> None:
    before = PICTURE.clone()
    views = Views(RECIPE.changed(erasing=1.0))
    for seed in range(20):
        views(PICTURE, 32, seed)
    assert torch.equal(PICTURE, before)


def test_mixed_targets_are_shares_of_the_two_classes() -> None:
    torch.manual_seed(0)
    images, targets = mixer(4)(torch.rand(6, 3, 16, 16), torch.tensor([0, 1, 2, 3, 0, 1]))
    assert images.shape == (6, 3, 16, 16)
    assert targets.shape == (6, 4)
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert int((targets > 0).sum(1).max()) <= 2


def test_seeds_differ_in_every_part() -> None:
    seeds = {seed_of(run, epoch, picture) for run in range(5) for epoch in range(20) for picture in range(50)}
    assert len(seeds) == 5 * 20 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)
