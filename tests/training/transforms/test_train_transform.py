import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from corolla.training.recipes.scratch import RECIPE
from corolla.training.rng import SampleRng
from corolla.training.transforms.mixing import mixer
from corolla.training.transforms.operations import MEAN_COLOR
from corolla.training.transforms.policies import POLICIES
from corolla.training.transforms.train_transform import (
    CROP_ASPECT,
    ERASED_AREA,
    TrainTransform,
    crop_boxes,
    erase,
    rectangles,
    resized_crop,
)

SIDES = st.integers(1, 400)
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


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=8), st.floats(0.01, 1.0), st.integers(0, 2**40))
def test_a_box_lies_inside_its_image(sides: list[tuple[int, int]], least: float, seed: int) -> None:
    sizes = np.array(sides)
    boxes = crop_boxes(sizes, least, SampleRng(range(seed, seed + len(sides))))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] >= 1).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= sizes).all()


def test_boxes_have_the_shares_and_aspects_that_are_asked_for() -> None:
    sizes = np.full((4000, 2), (300, 400))
    boxes = crop_boxes(sizes, 0.3, SampleRng(range(4000)))
    shares, aspects = boxes[:, 2] * boxes[:, 3] / (300 * 400), boxes[:, 3] / boxes[:, 2]
    assert 0.29 < shares.min() < 0.31
    assert 0.95 < shares.max() <= 1
    torchvisions = v2.RandomResizedCrop(8, scale=(0.3, 1.0))
    theirs = [torchvisions.make_params([torch.empty(3, 300, 400)]) for _ in range(2000)]
    assert abs(shares.mean() - np.mean([box["height"] * box["width"] for box in theirs]) / (300 * 400)) < 0.02
    assert 1 / CROP_ASPECT - 0.02 < aspects.min() < 0.77
    assert 1.3 < aspects.max() < CROP_ASPECT + 0.02
    assert abs(boxes[:, 1].mean() - (400 - boxes[:, 3]).mean() / 2) < 3  # left edges are spread evenly


def test_an_image_too_long_for_any_box_gives_its_middle() -> None:
    [box] = crop_boxes(np.array([[10, 400]]), 1.0, SampleRng([3]))
    assert box.tolist() == [0, 193, 10, 13]


def test_a_cut_of_the_whole_image_at_its_size_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    whole = np.array([0, 0, 24, 24])
    assert np.array_equal(resized_crop(image, whole, False, 24), image)
    assert np.array_equal(resized_crop(image, whole, True, 24), image[:, ::-1])


def test_a_cut_is_where_its_box_is() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = (200, 100, 50)
    assert (resized_crop(image, np.array([10, 30, 10, 20]), False, 8) == (200, 100, 50)).all()


def test_what_shrinks_keeps_its_mean_and_loses_its_grain() -> None:
    grain = np.random.default_rng(0).integers(0, 2, (96, 96, 1), np.uint8).repeat(3, axis=2) * 255
    small = resized_crop(grain, np.array([0, 0, 96, 96]), False, 32)
    assert abs(float(small.mean()) - float(grain.mean())) < 1
    assert small.std() < grain.std() / 2.5


def erased(share: float, count: int = 1000, size: int = 32) -> torch.Tensor:
    views = np.full((count, size, size, 3), 7, np.uint8)
    for view, rectangle in zip(views, rectangles(SampleRng(range(count)), size, share), strict=True):
        erase(view, rectangle)
    return torch.from_numpy(views).permute(0, 3, 1, 2)


def test_a_share_of_the_views_loses_a_rectangle_of_the_mean_color() -> None:
    views = erased(0.25)
    gone = (views != 7).all(dim=1)  # (B, S, S)
    hit = gone.flatten(1).any(dim=1)
    assert abs(float(hit.float().mean()) - 0.25) < 0.04
    assert (views.permute(0, 2, 3, 1)[gone] == torch.tensor(MEAN_COLOR)).all()
    for mask in gone[hit][:100]:
        rows, columns = mask.any(dim=1).sum(), mask.any(dim=0).sum()
        assert mask.sum() == rows * columns
    areas = gone[hit].flatten(1).float().mean(dim=1)
    assert ERASED_AREA[0] * 0.6 < areas.min() < 0.04
    assert 0.28 < areas.max() < ERASED_AREA[1] * 1.15


def test_no_view_or_every_view_is_erased() -> None:
    assert (erased(0.0) == 7).all()
    assert (erased(1.0) != 7).flatten(1).any(dim=1).all()
