"""Which precision a device gets, and that training in bfloat16 is training all the same."""

from pathlib import Path

import pytest
import torch

from corolla.data.sources import load_data
from corolla.precision import Precision, choose_precision, name_of
from corolla.progress import Progress
from corolla.training import runtime as machine
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

HALF = Precision("bf16", "the test asks for it")


def test_a_type_is_named_without_its_library() -> None:
    assert name_of(Precision("bf16", "").dtype) == "bfloat16"
    assert name_of(Precision("no", "").dtype) == "float32"


@pytest.mark.parametrize(("amx", "avx512", "mixed", "unit"), [
    (True, True, "bf16", "AMX"), (False, True, "bf16", "AVX512-BF16"), (False, False, "no", "no bfloat16"),
])  # fmt: skip
def test_a_processor_gets_bfloat16_where_it_has_units_for_it(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx512: bool, mixed: str, unit: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    chosen = choose_precision("cpu")
    assert chosen.mixed == mixed
    assert unit in chosen.reason


@pytest.mark.parametrize(("has", "mixed"), [(True, "bf16"), (False, "no")])
def test_a_gpu_gets_bfloat16_where_it_is_not_emulated(monkeypatch: pytest.MonkeyPatch, has: bool, mixed: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    assert choose_precision("cuda:0").mixed == mixed


def test_elsewhere_float32_is_kept() -> None:
    assert choose_precision("mps") == Precision("no", "float32 is the safe choice on mps")


def losses(swatches: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision) -> list[float]:
    """Of the same 24 steps on the same batch, from the same weights."""
    monkeypatch.setattr(machine, "choose_precision", lambda device: precision)
    plain = {"mixup_cutmix_prob": 0.0, "drop_path": 0.0, "progressive_resizing": ((0.0, 1.0),), "epochs": 24}
    recipe = RECIPE.changed(model="vit_pico_conv8_16", image_size=16, batch_size=16, **plain)
    trainer = Trainer(load_data(swatches), recipe, seed=0, machine=Runtime("cpu", 0), progress=Progress())
    trainer.model.train()
    pixels, labels = next(iter(trainer.feed.batches(0, 16)))
    values = [trainer.step(pixels, labels, 0, step) for step in range(24)]
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())  # the master weights
    return values


def test_bfloat16_learns_as_float32_does(swatches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = losses(swatches, monkeypatch, HALF)
    single = losses(swatches, monkeypatch, Precision("no", ""))
    assert half != single  # or the test would say nothing of bfloat16
    assert half == pytest.approx(single, rel=2e-2)
    assert half[-1] < 0.7 * half[0]
