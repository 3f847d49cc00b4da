"""A teacher is fitted in parts of batches and in the seconds it has."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.features.backbones import Pretrained
from corolla.preprocessing import Preprocessing
from corolla.progress import Progress
from corolla.training.recipe import Recipe
from corolla.training.recipes.distill import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.teachers import fitting
from corolla.training.teachers.cost import TeacherCost
from corolla.training.teachers.fitting import FittedTeacher, fit_teacher

ASKED = RECIPE.changed(teacher="small", teacher_epochs=2, batch_size=12, mixup_cutmix_prob=0.5)


class Small(nn.Module):
    """A convolution with a batch norm, which sees colors."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.BatchNorm2d(8), nn.GELU())

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        made = self.net(images)
        return (made,), made.mean(dim=(2, 3))


class Told(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Pretrained:
        torch.manual_seed(3)
        return Pretrained(Small(), Preprocessing((16, 16)), 4)

    monkeypatch.setattr(fitting, "load_backbone", load)


@pytest.fixture(scope="module")
def manifest(swatches: Path) -> Manifest:
    return load_data(swatches)


def fit(manifest: Manifest, told: Told, recipe: Recipe = ASKED, seconds: float | None = None) -> FittedTeacher:
    return fit_teacher(manifest, recipe, Runtime("cpu", 0), seed=0, seconds=seconds, progress=told)


def test_parts_of_a_batch_give_the_step_of_the_whole(manifest: Manifest) -> None:
    states = []
    for together in (5, 64):
        fitted = FittedTeacher(manifest, ASKED, Runtime("cpu", 0), 0, Progress())
        fitted.together = together
        optimizer = torch.optim.SGD(fitted.teacher.parameters(), lr=0.1)
        torch.manual_seed(0)
        views = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
        nn.init.normal_(fitted.teacher.head.weight, std=0.1)
        losses = [fitted.step(views, torch.arange(12) % 3, optimizer) for _ in range(4)]  # type: ignore[arg-type]
        states.append((losses, fitted.teacher.state_dict()))
    (losses, state), (whole_losses, whole) = states
    assert losses == pytest.approx(whole_losses, rel=1e-5)
    assert losses[0] != losses[-1]
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-6)


def test_with_ample_time_it_is_fitted_as_well_as_without_a_limit(manifest: Manifest) -> None:
    told = Told()
    limited, whole = fit(manifest, told, seconds=600.0), fit(manifest, Told())
    assert limited.facts["epochs"] == whole.facts["epochs"] == 2
    assert limited.facts["probe_val_accuracy"] >= whole.facts["probe_val_accuracy"]
    assert limited.facts["val_accuracy"] >= whole.facts["val_accuracy"]
    assert not any("the teacher gets" in note for note in told.notes)
    assert "probe_test_accuracy" in whole.facts
    assert "probe_test_accuracy" not in limited.facts  # which costs a look at another split


def test_in_little_time_it_leaves_things_out_and_says_so(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = (len(manifest.split(name)) for name in ("train", "val"))
    cost = TeacherCost(view=1.0, both=2.0, step=100.0, images=train + val, train=train, val=val)
    monkeypatch.setattr(FittedTeacher, "measure", lambda self: cost)
    told = Told()
    fitted = fit(manifest, told, seconds=(train + val) * 1.0)  # one view takes all of it, and a part may
    assert fitted.plan.views == 1
    assert fitted.plan.share == pytest.approx(0.6, abs=0.01)
    assert fitted.features("train").shape[:2] == (round(fitted.plan.share * train), 1)
    assert len(fitted.features("test")) == len(manifest.split("test"))
    assert fitted.facts["epochs"] == 0
    assert fitted.facts["val_accuracy"] == fitted.facts["probe_val_accuracy"] > 0.5
    assert [note for note in told.notes if "0 of 2 epochs of fine-tuning" in note and "horizontal flips" in note]
    assert not any("fine-tuned for" in note for note in told.notes)


def test_a_fine_tuning_that_turns_out_too_slow_is_given_up(manifest: Manifest) -> None:
    fitted = FittedTeacher(manifest, ASKED, Runtime("cpu", 0), 0, Progress())
    fitted.fit_head()
    before = {name: tensor.clone() for name, tensor in fitted.teacher.state_dict().items()}
    was = fitted.accuracy("val")
    assert fitted.fine_tune(3, seconds=0.0) == (0, was)
    assert fitted.frozen
    assert all(torch.equal(tensor, before[name]) for name, tensor in fitted.teacher.state_dict().items())


def test_what_it_costs_is_measured_once_and_knows_what_is_kept(manifest: Manifest) -> None:
    fitted = FittedTeacher(manifest, ASKED, Runtime("cpu", 0), 0, Progress())
    fitted.features("train")
    fitted.features("val")
    cost = fitted.cost()
    assert cost is fitted.cost()
    assert (cost.images, cost.features()) == (0, 0.0)
    assert cost.view > 0
    assert cost.step > 0
    fitted.frozen = False  # features of weights that were trained here are not kept
    assert fitted.measure().images == len(manifest.split("train")) + len(manifest.split("val"))
