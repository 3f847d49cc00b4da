"""The way from a run to a file: proven, written whole or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import corolla
from corolla.errors import CorollaError
from corolla.evaluation.facts import Facts, facts_of
from corolla.export.parity import ParityReport, Speed
from corolla.export.run_export import chosen, export
from corolla.run import Run
from corolla.training.train import train


@pytest.fixture(scope="module")
def run(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    train(swatches, folder, epochs=2, model="vit_pico_patch8_16", batch_size=12, workers=0, device="cpu")
    return folder


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_file_is_proven_and_says_so(run: Path, precision: str, tmp_path: Path) -> None:
    file = tmp_path / "new" / "mine.onnx"
    proof = export(run, file, precision)
    assert (proof.n, proof.agreement, proof.faults) == (len(Run(run).load_manifest().split("val")), 1.0, [])
    assert proof.probability < 1e-2
    portable = corolla.load(file)
    assert portable.card.proof == proof.to_json()
    assert portable.card.name == "mine"
    assert Facts.from_json(portable.card.about) == facts_of(Run(run))
    assert portable.card.about["accuracy"]["split"] == "test"


def test_int8_is_held_against_its_own_bar(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    proof = export(run, file, "int8")
    assert proof.agreement >= 0.99
    assert proof.probability > 1e-4
    assert corolla.load(file).card.precision == "int8"


def test_a_graph_that_answers_differently_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corolla.export.graph import Graph
    from corolla.export.onnx import build

    honest = Graph.forward

    def turned(self: Graph, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        probabilities, logits, *others = honest(self, images)
        return probabilities.roll(1, dims=-1), logits, *others

    monkeypatch.setattr(Graph, "forward", turned)
    monkeypatch.setattr("corolla.export.run_export.build", build)  # not the graph that another test had built
    with pytest.raises(CorollaError, match=r"predicts as the run on .* less than 99\.5%.*nothing was written"):
        export(run, tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    file.write_text("the user's")
    with pytest.raises(CorollaError, match="is there already"):
        export(run, file)
    assert file.read_text() == "the user's"


def test_without_its_images_it_takes_others(run: Path, swatches: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "manifest.csv").unlink()
    with pytest.raises(CorollaError, match="--data"):
        export(copy, tmp_path / "mine.onnx")
    assert export(copy, tmp_path / "mine.onnx", data=swatches).n == 30


def test_it_is_proven_on_other_images_than_it_learned_ranges_from(run: Path, swatches: Path) -> None:
    for manifest in (Run(run).load_manifest(), corolla.load_data(swatches)):
        proving, learning = chosen(manifest)
        assert proving
        assert learning
        assert not set(proving) & set(learning)


def test_what_is_too_different_is_told() -> None:
    speed = Speed(0.01, 0.01)
    fields = {
        "precision": "fp32", "n": 200, "logit": 0.1, "probability": 5e-4, "agreement": 1.0, "accuracy": 0.9,
        "run_accuracy": 0.9, "whole_n": 50, "whole_probability": 1e-3, "whole_agreement": 1.0,
        "speed": speed, "run_speed": speed, "fp32_speed": Speed(0.02, 0.005),
    }  # fmt: skip
    assert ParityReport(**fields).faults == []
    assert not ParityReport(**fields).slower
    assert ParityReport(**fields | {"fp32_speed": Speed(0.01, 0.005)}).slower
    assert len(ParityReport(**fields | {"probability": 2e-3}).faults) == 1
    assert ParityReport(**fields | {"probability": 2e-3, "precision": "fp16"}).faults == []
    assert len(ParityReport(**fields | {"agreement": 0.99}).faults) == 1
    assert ParityReport(**fields | {"agreement": 0.99, "whole_agreement": 0.99, "precision": "int8"}).faults == []
    assert len(ParityReport(**fields | {"whole_agreement": 0.9, "precision": "int8"}).faults) == 1
    assert np.isfinite(ParityReport(**fields).to_json()["speed"]["one"])
