"""`corolla evaluate`: the API's figures on the screen, as JSON, and in the run folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import corolla as api
from corolla.cli.evaluation_table import print_figures
from corolla.evaluation.facts import facts_of
from corolla.evaluation.metrics import Evaluation
from corolla.run import Run
from corolla.text import FEW, decimals_of


def test_json_is_one_object_with_the_apis_figures(corolla: Callable, run_copy: Path) -> None:
    said = corolla("evaluate", run_copy, "--json", "--device", "cpu")
    assert said.status == 0
    figures = json.loads(said.out)
    assert figures == api.evaluate(run_copy).to_json()
    assert figures.keys() >= {"accuracy", "interval", "n", "macro_f1", "log_loss", "per_class", "confusion"}
    assert json.loads((run_copy / "evaluation.json").read_text(encoding="utf-8")) == figures


def test_the_table_holds_the_same_figures(corolla: Callable, run_copy: Path) -> None:
    said = corolla("evaluate", run_copy, "--split", "train")
    assert said.status == 0
    figures = api.evaluate(run_copy, split="train")
    lines = [line.split() for line in said.out.splitlines()]
    assert figures.n < FEW  # of so few no decimals are told
    assert f"{figures.accuracy:.0%}" in lines[0]
    assert f"{figures.interval[0]:.0%}" in lines[0]
    assert f"{figures.n} images say little" in said.out.replace("\N{NO-BREAK SPACE}", " ")
    assert ["log", "loss", f"{figures.log_loss:.3f}"] in lines
    counts = [str(count) if count else "·" for count in figures.confusion[1]]
    assert ["grün", *counts] in lines
    assert "These are the training images" in said.out
    assert f"{run_copy} still has the report of its own test images; --out DIR writes one for these images" in said.err


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("which", ["split", "other data", "other data with splits", "out"])
def test_only_its_own_test_images_change_what_the_run_says_of_itself(
    which: str, corolla: Callable, run_copy: Path, images: Path, tmp_path: Path
) -> None:
    shutil.copytree(images / "red", tmp_path / "split" / "test" / "deep blue")  # all of them are answered wrong
    shutil.copytree(images / "grün", tmp_path / "split" / "train" / "grün")
    words: dict[str, list[object]] = {
        "split": ["--split", "train"], "other data": [images], "other data with splits": [tmp_path / "split"],
        "out": ["--out", tmp_path / "figures"],
    }  # fmt: skip
    before, facts = bytes_of(run_copy), facts_of(Run(run_copy))
    said = corolla("evaluate", run_copy, *words[which], "--json")
    assert said.status == 0
    assert bytes_of(run_copy) == before
    assert facts_of(Run(run_copy)) == facts
    if which != "out":
        assert not (tmp_path / "figures").exists()
        assert corolla("evaluate", run_copy, *words[which], "--out", tmp_path / "figures").status == 0
        assert bytes_of(run_copy) == before
    kept = json.loads((tmp_path / "figures" / "evaluation.json").read_text(encoding="utf-8"))
    assert kept == json.loads(said.out)
    page = (tmp_path / "figures" / "report.html").read_text(encoding="utf-8")
    assert f"{100 * kept['accuracy']:.{decimals_of(kept['n'])}f}" in page
    assert "is not an empty folder" in corolla("evaluate", run_copy, "--out", tmp_path / "figures").line


def test_what_the_training_said_stays_after_evaluating_the_same_again(corolla: Callable, run_copy: Path) -> None:
    before = bytes_of(run_copy)["evaluation.json"]
    assert corolla("evaluate", run_copy, "--quiet").status == 0
    assert bytes_of(run_copy)["evaluation.json"] == before


def test_the_report_is_written_again(corolla: Callable, run_copy: Path) -> None:
    (run_copy / "report.html").unlink()
    assert corolla("evaluate", run_copy, "--quiet").status == 0
    assert "<html" in (run_copy / "report.html").read_text(encoding="utf-8")


def test_other_images_without_splits_are_used_whole(corolla: Callable, run_copy: Path, images: Path) -> None:
    said = corolla("evaluate", run_copy, images, "--json")
    figures = json.loads(said.out)
    assert (figures["split"], figures["n"]) == ("all", 36)
    assert figures["trained_on"] == 24


def test_a_class_that_the_model_does_not_know(corolla: Callable, run_copy: Path, images: Path, tmp_path: Path) -> None:
    data = shutil.copytree(images, tmp_path / "data")
    (data / "red").rename(data / "scarlet")
    line = corolla("evaluate", run_copy, data, "--quiet").line
    assert "scarlet" in line
    assert "grün" in line


def test_what_is_no_run(corolla: Callable, tmp_path: Path, run_copy: Path) -> None:
    assert "is not a run folder" in corolla("evaluate", tmp_path, "--quiet").line
    (run_copy / "model.safetensors").write_bytes(b"damaged")
    assert "model.safetensors" in corolla("evaluate", run_copy, "--quiet").line


def test_figures_are_told_even_if_the_run_cannot_be_written(corolla: Callable, run_copy: Path) -> None:
    (run_copy / "report.html").unlink()
    (run_copy / "report.html").mkdir()
    (run_copy / "report.html" / "in the way").touch()
    said = corolla("evaluate", run_copy, "--json", "--quiet")
    assert said.status == 2
    assert json.loads(said.out)["n"] == 6
    assert said.err.startswith("corolla: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("classes", [3, 40])
def test_any_names_and_any_number_of_classes_can_be_shown(classes: int, capsys: pytest.CaptureFixture[str]) -> None:
    dice = np.random.default_rng(0)
    names = ("[bold]tag", "new\nline \x1b[31m", *(f"class {place}" for place in range(2, classes)))
    evaluation = Evaluation(
        names, "test", tuple(map(str, range(200))), dice.integers(0, classes, 200),
        dice.dirichlet(np.ones(classes), 200).astype(np.float32),
    )  # fmt: skip
    print_figures(evaluation)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[bold]tag" in said
    assert r"new\nline \x1b[31m" in said
    assert ("predicted as" in said) == (classes > 12)
    assert all(len(line) < 200 for line in said.splitlines())


def test_robustness_is_told_on_the_screen_in_json_and_in_the_report(corolla: Callable, run_copy: Path) -> None:
    said = corolla("evaluate", run_copy, "--robustness", "--quiet")
    assert said.status == 0
    figures = json.loads((run_copy / "evaluation.json").read_text(encoding="utf-8"))["robustness"]
    assert figures["n"] == 6
    assert f"mean accuracy {figures['mean']:.1%}" in said.out
    rows = [line.split() for line in said.out.splitlines() if line.startswith("rotation")]
    assert rows == [["rotation", *(f"{share:.1%}" for share in figures["corruptions"]["rotation"]["accuracy"])]]
    assert "Corrupted images" in (run_copy / "report.html").read_text(encoding="utf-8")
    assert "robustness" not in json.loads(corolla("evaluate", run_copy, "--json", "--quiet").out)


def test_a_run_that_comes_with_corolla_is_measured_and_nothing_is_written(
    corolla: Callable, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    shutil.copytree(images / "red", tmp_path / "photos" / "roses")
    said = corolla("evaluate", "flowers", "photos", "--device", "cpu")
    assert said.status == 0
    assert said.out.startswith("accuracy")
    assert "flowers has no report; --out DIR writes one for these images" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
