"""`corolla compare`: table, JSON and page of several runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import corolla as api
from corolla.evaluation.comparing import compare


@pytest.fixture
def other(run_copy: Path, tmp_path: Path) -> Path:
    """The same run with a head that says the opposite."""
    folder = Path(shutil.copytree(run_copy, tmp_path / "other <run>"))
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"head.weight": -weights["head.weight"]}, folder / "model.safetensors")
    return folder


def test_json_holds_the_figures_of_the_api(corolla: Callable, run_copy: Path, other: Path) -> None:
    said = corolla("compare", run_copy, other, "--split", "train", "--json", "--quiet")
    assert said.status == 0
    first, second = json.loads(said.out)
    evaluations = [api.evaluate(run, split="train") for run in (run_copy, other)]
    assert [first["accuracy"], second["accuracy"]] == [evaluation.accuracy for evaluation in evaluations]
    assert first["against_first"] is None
    assert second["against_first"] == compare(*evaluations).to_json() | {"holm_p_value": compare(*evaluations).p_value}
    assert second["verdict"] in ("better", "worse", "no clear difference")


def test_the_table_and_the_page(corolla: Callable, run_copy: Path, other: Path, tmp_path: Path) -> None:
    page = tmp_path / "comparison.html"
    said = corolla("compare", run_copy, other, run_copy, "--out", page)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[1].startswith("A a run")
    assert lines[2].startswith("B other <run>")
    assert "no clear difference" in lines[3]
    assert f"comparison: {page}" in said.err
    assert "other &lt;run&gt;" in page.read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_refused(corolla: Callable, run_copy: Path, tmp_path: Path, images: Path) -> None:
    assert "takes two to 6" in corolla("compare", run_copy, "--quiet").line
    assert "takes two to 6" in corolla("compare", *[run_copy] * 7, "--quiet").line
    assert "should be the name of an .html file" in corolla("compare", run_copy, run_copy, "--out", tmp_path).line
    assert "is not a run folder" in corolla("compare", run_copy, tmp_path, "--quiet").line
    fewer = Path(shutil.copytree(run_copy, tmp_path / "fewer"))
    rows = (fewer / "manifest.csv").read_text(encoding="utf-8").splitlines()
    dropped = next(row for row in rows if ",test," in row)
    (fewer / "manifest.csv").write_text("\n".join(row for row in rows if row != dropped), encoding="utf-8")
    assert "different images (6 and 5, 5 of them the same)" in corolla("compare", run_copy, fewer, "--quiet").line
    assert corolla("compare", run_copy, fewer, "--data", images, "--quiet").status == 0
