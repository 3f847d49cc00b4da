"""Compiled blocks learn as plain ones do, and only where it pays."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import corolla
from corolla.data.sources import load_data
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.precision import Precision
from corolla.progress import Progress
from corolla.training import compiling
from corolla.training.compiling import Compiling, choose_compiling, compile_blocks
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

SINGLE = Precision("no", "")


def model() -> ViT:
    torch.manual_seed(0)
    return ViT(vit_config("vit_pico_patch8_32", 3))


def choose(steps: int) -> Compiling:
    return choose_compiling(model(), SINGLE, 32, 4, steps, 1)


def test_a_short_training_is_not_compiled() -> None:
    chosen = choose(10)
    assert not chosen.wanted
    assert "short" in chosen.reason


def test_a_missing_compiler_is_a_reason_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: torch.nn.Module, **_: object) -> None:
        raise RuntimeError("no C++ compiler\nand much more")

    monkeypatch.setattr(torch.nn.Module, "compile", fails)
    chosen = choose(10**9)
    assert not chosen.wanted
    assert chosen.reason == "the compiler failed (no C++ compiler)"


@pytest.mark.parametrize(("gain", "wanted"), [(2.0, False), (-2.0, True)])
def test_what_is_measured_decides(monkeypatch: pytest.MonkeyPatch, gain: float, wanted: bool) -> None:
    """Code that is compiled for nothing is as fast as before, so the gain asked for decides."""
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: None)
    monkeypatch.setattr(compiling, "GAIN", gain)
    times = iter([9.0] + [1.0] * 3 + [9.0] + [0.5] * 3)  # seconds of each step, as the clock below tells them
    now = [0.0]

    def clock() -> float:
        clock.calls += 1  # type: ignore[attr-defined]
        return now[0]

    clock.calls = 0  # type: ignore[attr-defined]
    original = compiling.F.cross_entropy

    def slow(*arguments: torch.Tensor) -> torch.Tensor:
        now[0] += next(times)
        return original(*arguments)

    monkeypatch.setattr(compiling, "time", SimpleNamespace(monotonic=clock))  # the others' clock goes on
    monkeypatch.setattr(compiling.F, "cross_entropy", slow)
    chosen = choose(10_000)
    assert chosen.wanted is wanted
    assert ("50% less" in chosen.reason) is wanted


def test_the_model_is_left_as_it_was() -> None:
    left = model()
    before = {name: tensor.clone() for name, tensor in left.state_dict().items()}
    choose_compiling(left, SINGLE, 32, 4, 10, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in left.state_dict().items())
    assert all(parameter.grad is None for parameter in left.parameters())


def losses(swatches: Path, compiled: bool) -> list[float]:
    recipe = RECIPE.changed(
        model="vit_pico_conv8_16",
        image_size=16,
        batch_size=16,
        mixup_cutmix_prob=0.0,
        progressive_resizing=((0.0, 1.0),),
        drop_path=0.0,
    )
    trainer = Trainer(load_data(swatches), recipe, seed=0, machine=Runtime("cpu", 0), progress=Progress())
    if compiled:
        compile_blocks(trainer.model)
    trainer.model.train()
    pixels, labels = next(iter(trainer.feed.batches(0, 16)))
    return [trainer.step(pixels, labels, 0, step) for step in range(8)]


def test_compiled_blocks_learn_as_plain_ones_do(swatches: Path) -> None:
    assert losses(swatches, True) == pytest.approx(losses(swatches, False), rel=2e-2)


def test_a_run_says_whether_it_was_compiled_and_resumes_so(
    swatches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: dict[str, Any] = {"model": "vit_pico_conv8_16", "batch_size": 8, "workers": 0, "device": "cpu", "epochs": 2}
    compiled: list[ViT] = []
    monkeypatch.setattr("corolla.training.train.choose_compiling", lambda *_: Compiling(True, "the test wants it"))
    monkeypatch.setattr("corolla.training.train.compile_blocks", compiled.append)
    whole = Trainer.epoch

    def stopped(self: Trainer) -> dict[str, Any]:
        if self.position.epochs_done == 1:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(Trainer, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        corolla.train(swatches, tmp_path / "run", **quick)
    monkeypatch.setattr(Trainer, "epoch", whole)
    monkeypatch.setattr("corolla.training.train.choose_compiling", None)  # is not asked again
    notes: list[str] = []
    heard = Progress()
    monkeypatch.setattr(heard, "note", notes.append)
    run = corolla.train(swatches, tmp_path / "run", progress=heard, resume=True, **quick)
    assert run.load_config().training["compiled"] is True
    assert any("compiled: yes (the test wants it)" in note for note in notes)
    assert len(compiled) == 2


def test_a_run_from_before_compiling_was_measured_goes_on_as_it_began() -> None:
    assert Compiling.of_run({"seed": 0}).wanted is False
    assert Compiling.of_run({"compiled": True, "compiled_reason": "it pays"}) == Compiling(True, "it pays")
