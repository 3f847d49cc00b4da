"""What a teacher may take is kept, and what is left out for it is left out in order."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from corolla.preprocessing import Preprocessing
from corolla.training.teachers.cost import TeacherCost, measure_features, measure_step, plan_teacher

# 1,020 images each for training and validation: 61 s for both views, 37 s for one, 49 s for an epoch
FLOWERS = TeacherCost(view=0.018, both=0.030, step=0.042, images=2040, train=1020, val=1020)


@pytest.mark.parametrize(
    ("seconds", "views", "epochs", "all_images"),
    [(None, 2, 3, True), (600.0, 2, 3, True), (250.0, 2, 1, True), (120.0, 2, 0, True), (72.0, 1, 0, True),
     (30.0, 1, 0, False)],
)  # fmt: skip
def test_what_is_left_out_for_a_time(seconds: float | None, views: int, epochs: int, all_images: bool) -> None:
    plan = plan_teacher(FLOWERS, seconds, 3)
    assert (plan.views, plan.epochs, plan.share == 1) == (views, epochs, all_images)


def test_what_is_planned_fits() -> None:
    for each, step, images, seconds in itertools.product((0.001, 0.02), (0.004, 0.2), (0, 100, 20000), (1, 30, 900)):
        cost = TeacherCost(each, 1.8 * each, step, images, 10000, 2000)
        plan = plan_teacher(cost, seconds, 5)
        assert plan.head is not None
        assert plan.head > 0.2 * seconds
        planned = plan.share * cost.features(plan.views) + plan.head + cost.tuning(plan.epochs, plan.views)
        assert planned <= seconds * (1 + 1e-9)


def test_features_that_are_kept_cost_nothing() -> None:
    assert plan_teacher(replace(FLOWERS, images=0), 30.0, 0).views == 2
    assert replace(FLOWERS, images=0).features() == 0


def test_one_line_says_what_is_left_out() -> None:
    assert plan_teacher(FLOWERS, 600.0, 3).told(600.0, 3, FLOWERS) == ""
    said = plan_teacher(FLOWERS, 30.0, 3).told(30.0, 3, FLOWERS)
    left_out = "0 of 3 epochs of fine-tuning (50 s each), no horizontal flips, 49% of the images"
    assert said == f"the teacher gets 30 s: {left_out}"


def test_more_work_is_measured_as_more(swatches: Path) -> None:
    paths, prepared = sorted(swatches.glob("*/*.png")), Preprocessing((16, 16))
    weight = torch.randn(3 * 16 * 16, 4000)

    def slow(images: Tensor) -> Tensor:
        for _ in range(20):
            made = images.flatten(1) @ weight
        return made

    quick = measure_features(paths, lambda images: images.mean(dim=(2, 3)), prepared, "cpu")
    view, both = measure_features(paths, slow, prepared, "cpu")
    assert view > quick[0]
    assert both > quick[1]

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return (images.flatten(1)[:, :100] @ torch.ones(100, 2, requires_grad=True)).sum()

    assert 0 < measure_step(loss, 4, 16, torch.device("cpu")) < 5
