"""The whole report on a tiny model: its figures fit together, and wrong words are refused before any is measured."""

import json
from pathlib import Path

import pytest
import torch

from corolla.bench.cases import at_sizes
from corolla.bench.report import Report, bench, load_before
from corolla.errors import CorollaError
from corolla.progress import Progress

KEYS = {
    "corolla", "torch", "hardware", "device", "threads", "mixed_precision", "reason", "ceilings", "models", "images",
    "epochs", "load", "seconds",
}  # fmt: skip


class Told(Progress):
    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int, str]] = []

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        self.stages.append((title, done, total, detail))


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def report(swatches: Path, told: Told) -> Report:
    return bench(
        ["vit_pico_patch8_32"], batches=[2], images=str(swatches), seconds=0.05, device="cpu", workers=0, threads=1,
        epoch_sizes=[32], progress=told,
    )  # fmt: skip


def test_it_is_one_json_object(report: Report) -> None:
    figures = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert figures.keys() == KEYS
    assert figures["ceilings"].keys() == {"float32", "bfloat16"}
    assert [(row["model"], row["size"], row["batch"], row["task"]) for row in figures["models"]] == [
        ("vit_pico_patch8_32", 32, 2, "prediction"),
        ("vit_pico_patch8_32", 32, 2, "training"),
    ]
    assert (figures["images"]["images"], figures["images"]["workers"]) == (32, 0)
    assert figures["threads"] == 1


def test_rates_are_positive_and_consistent(report: Report) -> None:
    for row in report.to_json()["models"]:
        ceiling = report.ceilings[row["precision"]].rate
        assert row["images_per_second"] == pytest.approx(row["batch"] / row["seconds_per_batch"])
        assert row["share_of_ceiling"] == pytest.approx(
            row["images_per_second"] * row["operations_per_image"] / ceiling
        )
        assert row["share_of_ceiling"] > 0
    read = report.images
    assert min(read.decoded, read.decoded_draft, read.first_views, read.next_views) > 0


def test_whole_epochs_are_measured(report: Report) -> None:
    [cost] = report.epochs
    assert cost.size == 32
    assert 0 < cost.step_seconds <= cost.seconds
    assert cost.overhead == 1 - cost.step_seconds / cost.seconds
    assert report.to_json()["epochs"][0]["overhead"] == cost.overhead


def test_a_training_step_is_measured_in_a_process_of_its_own(report: Report) -> None:
    prediction, training = report.speeds
    assert prediction.measured.memory is None
    assert training.measured.memory is None or training.measured.memory > 50e6


def test_it_tells_how_far_it_is(report: Report, told: Told) -> None:
    stages = [(done, total) for title, done, total, _ in told.stages if title == "measuring"]
    assert stages == [(done, stages[0][1]) for done in range(stages[0][1] + 1)]
    assert any("training on 2" in detail for *_, detail in told.stages)


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    progress = Progress()
    monkeypatch.setattr(progress, "note", notes.append)
    for load in (0.0, 1000.0):
        monkeypatch.setattr("os.getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        assert load_before(progress) == load
    assert len(notes) == 1
    assert "1000.0" in notes[0]
    monkeypatch.delattr("os.getloadavg")
    assert load_before(progress) is None


def test_the_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(CorollaError):
        bench(["vit_pico_patch8_32"], images="no such folder", threads=before + 1, seconds=0.01)
    assert torch.get_num_threads() == before


def test_sizes_take_the_place_of_those_in_the_names() -> None:
    names = ["vit_tiny_patch16_224", "vit_micro_conv16_96"]
    assert at_sizes(names, []) == names
    assert at_sizes(names, [160]) == ["vit_tiny_patch16_160", "vit_micro_conv16_160"]
    with pytest.raises(CorollaError, match="'tiny'"):
        at_sizes(["tiny"], [160])


@pytest.mark.parametrize(
    ("models", "batches"), [([], [1]), (["vit_pico_patch8_32"], []), (["vit_pico_patch8_32"], [0])]
)
def test_nothing_is_nothing_to_measure(models: list[str], batches: list[int]) -> None:
    with pytest.raises(CorollaError, match="nothing to measure"):
        bench(models, batches=batches)
