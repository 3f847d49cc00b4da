"""One image, one answer: on a machine that trains in bfloat16, everything that answers prints the same digits."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch

import corolla
from corolla.batch_inference.run import predict as predict_many
from corolla.classifier import Classifier
from corolla.cli import main
from corolla.errors import CorollaError
from corolla.export.run_export import export
from corolla.precision import SINGLE, choose_precision
from corolla.run import Run
from corolla.server.model import load_served

DIGITS = 3  # what is printed of a probability, as parts of one: 60.1 %


@pytest.fixture(scope="module", autouse=True)
def _bfloat16() -> Iterator[None]:
    """As on a processor with bfloat16 units, whatever this one has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
        assert choose_precision("cpu").mixed == "bf16"
        yield


@pytest.fixture(scope="module")
def run(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained and validated in bfloat16."""
    folder = tmp_path_factory.mktemp("runs") / "half"
    return corolla.train(
        swatches, folder, model="vit_pico_conv8_16", epochs=3, batch_size=8, workers=0, device="cpu", seed=3
    )


@pytest.fixture(scope="module")
def photos(swatches: Path) -> list[Path]:
    return sorted(swatches.rglob("*.png"))


@pytest.fixture(scope="module")
def expected(run: Run, photos: list[Path]) -> np.ndarray:
    """The probabilities (n, classes) of the run."""
    classifier = corolla.load(run.folder)
    assert isinstance(classifier, Classifier)
    assert classifier.precision == SINGLE
    return classifier.predict_proba(photos)


def test_the_training_itself_was_in_bfloat16_and_its_answers_would_differ(
    run: Run, photos: list[Path], expected: np.ndarray
) -> None:
    assert run.load_config().training["precision"] == "bf16"
    half = corolla.load(run.folder, precision="bf16").predict_proba(photos)
    assert (np.round(half, DIGITS) != np.round(expected, DIGITS)).any()  # or this file would say nothing
    assert np.abs(half - expected).max() < 0.05


def test_run_file_server_and_table_give_the_same_digits(
    run: Run, photos: list[Path], expected: np.ndarray, tmp_path: Path
) -> None:
    export(run.folder, tmp_path / "run.onnx")
    pixels = np.stack([corolla.load(run.folder).pixels(photo) for photo in photos])
    answers = {
        "file": corolla.load(tmp_path / "run.onnx").predict_proba(photos),
        "one at a time": np.concatenate([corolla.load(run.folder).predict_proba([photo]) for photo in photos]),
        "server": np.stack([output.probabilities for output in load_served(run.folder).predictor.infer(pixels)]),
        "server of the file": np.stack(
            [output.probabilities for output in load_served(tmp_path / "run.onnx").predictor.infer(pixels)]
        ),
        "evaluate": corolla.evaluate(run.folder, photos[0].parents[1]).probabilities,
    }
    for name, found in answers.items():
        np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=name)
    predict_many(run.folder, photos[0].parents[1], tmp_path / "all.parquet", top=3)
    rows = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["probability"] for row in rows] == pytest.approx(expected.max(axis=1).tolist(), abs=2e-5)


def test_predict_prints_the_same_for_run_and_file(run: Run, photos: list[Path], tmp_path: Path, capsys: Any) -> None:
    export(run.folder, tmp_path / "run.onnx")

    def printed(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0
        return str(capsys.readouterr().out)

    asked = (photos[0].parent, "--top", 3, "--quiet")
    assert printed("predict", run.folder, *asked) == printed("predict", tmp_path / "run.onnx", *asked)
    assert printed("predict", run.folder, *asked, "--precision", "bf16") != printed("predict", run.folder, *asked)


def test_what_the_training_reports_is_what_evaluate_and_predict_say(run: Run) -> None:
    kept = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
    assert corolla.evaluate(run.folder).to_json() == kept
    assert corolla.evaluate(run.folder, precision="bf16").log_loss != kept["log_loss"]
    manifest = run.load_manifest()
    classifier = corolla.load(run.folder)
    tested = manifest.split("test")
    right = [classifier.predict(manifest.locate(each)).label == each.label for each in tested]
    assert sum(right) / len(right) == kept["accuracy"]


def test_an_evaluation_in_bfloat16_is_not_kept(run: Run, capsys: Any) -> None:
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert main(["evaluate", str(run.folder), "--precision", "bf16", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["log_loss"] != json.loads(before["evaluation.json"])["log_loss"]
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: predict_many(run, run.parent, "rows.parquet", precision="bf16"),
        lambda run: corolla.load(run, precision="bf16"),
    ],
    ids=["table", "load"],
)
def test_a_file_computes_as_it_was_exported(ask: Callable, run: Run, tmp_path: Path, capsys: Any) -> None:
    export(run.folder, tmp_path / "run.onnx")
    with pytest.raises(CorollaError, match="computes as it was exported"):
        ask(tmp_path / "run.onnx")
    for command in (["predict", "run.onnx", "x.jpg"], ["evaluate", "run.onnx", "photos"], ["serve", "run.onnx"]):
        words = [str(tmp_path / word) if word.endswith("onnx") else word for word in command]
        assert main([*words, "--precision", "bf16"]) == 2
        assert "an exported file computes as it was exported; leave out --precision bf16" in capsys.readouterr().err
    with pytest.raises(CorollaError, match="predictions are computed in fp32 or bf16, not in 'fp16'"):
        corolla.load(run.folder, precision="fp16")  # type: ignore[arg-type]


def test_a_table_in_bfloat16_is_another_table(run: Run, photos: list[Path], tmp_path: Path) -> None:
    predict_many(run.folder, photos[0].parents[1], tmp_path / "half.parquet", top=3, precision="bf16")
    rows = parquet.read_table(tmp_path / "half.parquet").to_pylist()
    half = corolla.load(run.folder, precision="bf16").predict_proba(photos).max(axis=1)
    assert [row["probability"] for row in rows] == pytest.approx(half.tolist(), abs=2e-3)
