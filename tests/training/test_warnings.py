"""No training ends at chance without a word, and none that is well is spoken ill of."""

import pytest

from corolla.training.warnings import Outcome, rounded_up, say_after, say_before, say_unlike

# 102 classes, 10 training images of each, 4 minutes of which the teacher took most: 5 epochs
FEW = {"views": 5 * 1020, "classes": 102, "batch_size": 64, "minutes": 4.0, "pretrained": False}


def test_what_cannot_work_is_said_before_with_what_would() -> None:
    said = say_before(**FEW, teacher=0.854)  # type: ignore[arg-type]
    assert said is not None
    assert "\n" not in said
    assert "5,100 augmented crops are 50 for each of 102 classes" in said
    assert "about 20 minutes or more" in said
    assert "--recipe probe" in said
    assert "85.4% on validation" in said


@pytest.mark.parametrize(
    "changes",
    [{"views": 30 * 1020}, {"pretrained": True}, {"classes": 5, "views": 2558},
     {"classes": 2, "views": 1800, "batch_size": 6}],
)  # fmt: skip
def test_nothing_is_said_of_what_may_work(changes: dict[str, object]) -> None:
    assert say_before(**(FEW | changes)) is None  # type: ignore[arg-type]


def test_few_steps_are_too_few_however_few_classes_there_are() -> None:
    said = say_before(views=640, classes=2, batch_size=64, minutes=None, pretrained=False)
    assert said is not None
    assert "about 1,920 are needed" in said
    assert "more epochs" in said


@pytest.mark.parametrize(("minutes", "told"), [(0.4, 1), (9.1, 10), (12.2, 15), (61, 90)])
def test_minutes_are_rounded_up(minutes: float, told: int) -> None:
    assert rounded_up(minutes) == told


def after(right: int, of: int, commonest: float, reference: float | None = None, pretrained: bool = False) -> str:
    outcome = Outcome(right, of, commonest, "test")
    return say_after(outcome, minutes=4.0, pretrained=pretrained, reference=reference) or ""


def test_chance_is_called_chance() -> None:
    said = after(13, 1020, 1 / 102, 0.854)  # 1.3 %
    assert said.startswith("it is no better than guessing: 1.3% of 1,020 test images (0.7% to 2.2%)")
    assert "most frequent class gives 1.0%" in said
    assert "more than 4 minutes" in said
    assert "--recipe probe" in said
    assert "\n" not in said


def test_next_to_nothing_and_too_few_images_are_told_apart_from_chance() -> None:
    assert after(40, 1020, 1 / 102).startswith("it has learned almost nothing: 3.9%")
    assert after(3, 4, 0.5).startswith("too few images to tell it from guessing")
    assert "corolla audit" in after(50, 100, 0.5, pretrained=True)


def test_far_below_its_teacher_is_said() -> None:
    assert after(300, 1020, 1 / 102, 0.854).startswith("it is far below its teacher: 29.4% of 1,020 test images")
    outcome = Outcome(60, 100, 0.2, "validation")
    said = say_after(outcome, minutes=None, pretrained=False, reference=0.9, name="probe")
    assert said is not None
    assert "the probe has 90.0%" in said
    assert "train longer" in said


@pytest.mark.parametrize(
    ("right", "of", "commonest", "reference"),
    [(512, 553, 0.25, 0.929), (483, 553, 0.25, None), (483, 553, 0.25, 0.929), (4, 4, 0.5, None), (1, 1, 1.0, None),
     (700, 1020, 0.01, 0.75), (29, 30, 0.5, 1.0)],
)  # fmt: skip
def test_nothing_is_said_of_a_good_run(right: int, of: int, commonest: float, reference: float | None) -> None:
    assert after(right, of, commonest, reference) == ""


def test_validation_unlike_test_is_said_with_the_reason() -> None:
    easy, hard = Outcome(170, 180, 0.1, "validation"), Outcome(541, 1000, 0.1, "test")
    said = say_unlike(easy, hard, drawn=True)
    assert said
    assert "94.4% of 180 validation images are correct, and 54.1% of 1,000 test images" in said
    assert "column group" in said
    assert "different kinds of images" in (say_unlike(easy, hard, drawn=False) or "")
    assert say_unlike(hard, easy, drawn=True), "also where the test is the easier one"


def test_what_chance_may_have_done_is_not_called_unlike() -> None:
    assert say_unlike(Outcome(9, 10, 0.5, "validation"), Outcome(6, 10, 0.5, "test"), drawn=True) is None
    # 2 points on very many images: certain, and no matter.
    assert say_unlike(Outcome(92_000, 100_000, 0.5, "validation"), Outcome(90_000, 100_000, 0.5, "test"), True) is None
