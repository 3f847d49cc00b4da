"""A run to give away: the same answers, and nothing of where it was made."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import corolla
from corolla.errors import CorollaError
from corolla.run import Run
from corolla.weights import load_weights, pack


@pytest.fixture(scope="module")
def run(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return corolla.train(swatches, out, epochs=2, model="vit_pico_conv8_16", batch_size=8, workers=0, device="cpu")


@pytest.mark.parametrize("half", [False, True])
def test_a_packed_run_answers_and_tells_no_place(run: Run, swatches: Path, tmp_path: Path, half: bool) -> None:
    packed = Run(tmp_path / "packed")
    difference = pack(run.folder, packed.folder, half)
    assert (0 < difference < 0.02) if half else difference == 0
    assert {file.name for file in packed.folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert str(swatches.parent) not in packed.config_file.read_text(encoding="utf-8")
    kinds = {tensor.dtype for tensor in load_file(packed.weights).values() if tensor.is_floating_point()}
    assert kinds == {torch.float16 if half else torch.float32}
    image = next((swatches / "red").iterdir())
    asked = [corolla.Classifier.load(each.folder).predict(image) for each in (run, packed)]
    assert asked[0].label == asked[1].label
    assert asked[0].probability == pytest.approx(asked[1].probability, abs=0.01)
    assert load_weights(packed.folder).tensors["head.weight"].dtype == torch.float32


def test_what_lies_there_is_not_written_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CorollaError, match="not an empty folder"):
        pack(run.folder, tmp_path)
    with pytest.raises(CorollaError, match="not a run folder"):
        pack(tmp_path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_packed_run_is_evaluated_on_images_it_is_given(run: Run, swatches: Path, tmp_path: Path) -> None:
    pack(run.folder, tmp_path / "packed")
    assert corolla.evaluate(tmp_path / "packed", swatches).split == "all"
    with pytest.raises(CorollaError, match="came without its images"):
        corolla.evaluate(tmp_path / "packed")
