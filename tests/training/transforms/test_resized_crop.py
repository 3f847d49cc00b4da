import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from corolla.training.transforms.resized_crop import ASPECT, crop_boxes, cut
from corolla.training.transforms.sample_rng import SampleRng

SIDES = st.integers(1, 400)


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
    assert 1 / ASPECT - 0.02 < aspects.min() < 0.77
    assert 1.3 < aspects.max() < ASPECT + 0.02
    assert abs(boxes[:, 1].mean() - (400 - boxes[:, 3]).mean() / 2) < 3  # left edges are spread evenly


def test_an_image_too_long_for_any_box_gives_its_middle() -> None:
    [box] = crop_boxes(np.array([[10, 400]]), 1.0, SampleRng([3]))
    assert box.tolist() == [0, 193, 10, 13]


def test_a_cut_of_the_whole_image_at_its_size_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    whole = np.array([0, 0, 24, 24])
    assert np.array_equal(cut(image, whole, False, 24), image)
    assert np.array_equal(cut(image, whole, True, 24), image[:, ::-1])


def test_a_cut_is_where_its_box_is() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = (200, 100, 50)
    assert (cut(image, np.array([10, 30, 10, 20]), False, 8) == (200, 100, 50)).all()


def test_what_shrinks_keeps_its_mean_and_loses_its_grain() -> None:
    grain = np.random.default_rng(0).integers(0, 2, (96, 96, 1), np.uint8).repeat(3, axis=2) * 255
    small = cut(grain, np.array([0, 0, 96, 96]), False, 32)
    assert abs(float(small.mean()) - float(grain.mean())) < 1
    assert small.std() < grain.std() / 2.5
