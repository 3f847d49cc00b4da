"""Images a second, operations and the share of the ceiling belong together."""

from collections.abc import Iterator

import pytest
import torch

from corolla.bench.cases import Case
from corolla.bench.ceiling import Ceiling
from corolla.bench.models import Measured, measure_prediction, measure_training, speed
from corolla.bench.timing import Timing
from corolla.errors import CorollaError
from corolla.models.summary import model_summary

CASE = Case("vit_pico_patch8_32", 4)
CEILINGS = {
    "float32": Ceiling("float32", 1e11, (1024, 1024, 1024)),
    "bfloat16": Ceiling("bfloat16", 4e11, (1024, 1024, 1024)),
}


def row(task: str, precision: str):  # type: ignore[no-untyped-def]
    return speed(CASE, Measured(task, Timing(0.02, 0.01, 7), precision, 123), CEILINGS)  # type: ignore[arg-type]


def test_the_share_is_images_a_second_times_operations_by_the_ceiling() -> None:
    figures = row("prediction", "float32").to_json()
    assert figures["images_per_second"] == 4 / 0.02
    assert figures["operations_per_image"] == 2 * model_summary(CASE.config)[0].macs
    assert figures["share_of_ceiling"] == pytest.approx(200 * figures["operations_per_image"] / 1e11)
    assert figures["gflops"] == pytest.approx(200 * figures["operations_per_image"] / 1e9)


def test_a_training_step_counts_three_times_and_against_its_own_precision() -> None:
    prediction, training = row("prediction", "float32"), row("training", "bfloat16")
    assert training.operations == 3 * prediction.operations
    assert training.share == pytest.approx(3 / 4 * prediction.share)


def test_prediction_is_measured() -> None:
    measured = measure_prediction(CASE, "cpu", 0.01)
    assert measured.task == "prediction"
    assert measured.precision in CEILINGS
    assert 0 < measured.timing.quickest <= measured.timing.median < 60


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("model", ["vit_pico_patch8_32", "vit_pico_conv8_32"])
def test_the_whole_training_step_is_measured(model: str) -> None:
    measured = measure_training(Case(model, 3), "cpu", 1, 0.01)
    assert measured.task == "training"
    assert measured.timing.repeats >= 3


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(CorollaError, match="vit_nano"):
        _ = Case("vit_nanno_patch8_32", 1).config
