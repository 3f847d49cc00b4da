import numpy as np
import pytest
import torch

from corolla.training.recipes.scratch import RECIPE
from corolla.training.transforms.mixing import mixer
from corolla.training.transforms.policies import POLICIES
from corolla.training.transforms.sample_rng import SampleRng, seed_of
from corolla.training.transforms.train_transform import TrainTransform

RANDOM = np.random.default_rng(0)
IMAGES = [RANDOM.integers(0, 256, (height, width, 3), np.uint8) for height, width in ((60, 80), (40, 33), (90, 90))]


@pytest.mark.parametrize("auto_augment", POLICIES)
def test_a_view_depends_on_its_image_and_seed_alone(auto_augment: str) -> None:
    views = TrainTransform(RECIPE.changed(auto_augment=auto_augment))
    torch.manual_seed(1)
    batch = views(IMAGES * 6, 32, range(18))
    assert batch.shape == (18, 3, 32, 32)
    assert batch.dtype == torch.uint8
    torch.manual_seed(2)
    for index in (0, 4, 17):
        [alone] = views([IMAGES[index % 3]], 32, [index])
        assert torch.equal(alone, batch[index])
    assert not torch.equal(batch[0], batch[3])  # the same image, another seed


def test_making_views_leaves_the_callers_randomness_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    TrainTransform(RECIPE)(IMAGES, 32, [1, 2, 3])
    assert torch.equal(torch.rand(4), expected)


def test_the_images_themselves_are_never_changed() -> None:
    before = [image.copy() for image in IMAGES]
    views = TrainTransform(RECIPE.changed(random_erasing_prob=1.0, auto_augment="rand"))
    for seed in range(20):
        views(IMAGES, 32, [seed, seed + 100, seed + 200])
    assert all(np.array_equal(image, copy) for image, copy in zip(IMAGES, before, strict=True))


def test_an_image_of_one_pixel_has_a_view() -> None:
    assert TrainTransform(RECIPE)([np.zeros((1, 1, 3), np.uint8)], 16, [0]).shape == (1, 3, 16, 16)


def test_half_of_the_views_are_mirrored() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    plain = TrainTransform(RECIPE.changed(auto_augment="none", random_erasing_prob=0.0, random_resized_crop_scale=1.0))
    brighter_right = plain([image] * 400, 32, range(400)).float().mean(dim=(1, 2))[:, 24] > 128
    assert abs(float(brighter_right.float().mean()) - 0.5) < 0.1


def test_mixed_targets_are_shares_of_the_two_classes() -> None:
    torch.manual_seed(0)
    images, targets = mixer(4)(torch.rand(6, 3, 16, 16), torch.tensor([0, 1, 2, 3, 0, 1]))
    assert images.shape == (6, 3, 16, 16)
    assert targets.shape == (6, 4)
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert int((targets > 0).sum(1).max()) <= 2


def test_seeds_differ_in_every_part() -> None:
    seeds = {seed_of(run, epoch, image) for run in range(5) for epoch in range(20) for image in range(50)}
    assert len(seeds) == 5 * 20 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_dice_are_an_images_own_and_even() -> None:
    assert np.array_equal(SampleRng([5, 6]).roll(3)[1], SampleRng([9, 6]).roll(3)[1])
    rolls = SampleRng(range(2000)).roll(2)
    assert abs(rolls.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(rolls.T)[0, 1]) < 0.06
