"""`corolla calibrate`, and what `predict` and `evaluate` say of a calibrated run."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import corolla as api
from browser import opened


@pytest.fixture
def calibrated(corolla: Callable, run_copy: Path, many: Path) -> Path:
    assert corolla("calibrate", run_copy, many, "--quiet").status == 0
    return run_copy


def test_it_writes_one_file_and_says_what_it_found(corolla: Callable, run_copy: Path, many: Path) -> None:
    before = {file: file.read_bytes() for file in run_copy.iterdir()}
    said = corolla("calibrate", run_copy, many, "--json", "--quiet")
    assert said.status == 0
    found = json.loads(said.out)
    calibration = api.load(run_copy).calibration
    assert found["temperature"] == pytest.approx(calibration.temperature)
    assert (found["ood_score"], found["val"]) == (calibration.ood_detector.name, calibration.facts["val"])
    assert {file.name for file in run_copy.iterdir()} == {file.name for file in before} | {"calibration.safetensors"}
    assert all(file.read_bytes() == content for file, content in before.items())


def test_predict_tells_what_is_none_of_its_classes(
    corolla: Callable, calibrated: Path, many: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "strange.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(strange)
    model = api.load(calibrated)
    files = [*sorted((many / "red").glob("*.png"))[:12], strange]
    answers = [model.predict(file) for file in files]
    assert sum(answer.accepted for answer in answers) > 0
    said = json.loads(corolla("predict", calibrated, *files, "--json", "--quiet", "--csv", tmp_path / "a.csv").out)
    assert [entry["accepted"] for entry in said] == [answer.accepted for answer in answers]
    assert [entry["ood_score"] for entry in said] == pytest.approx([answer.ood_score for answer in answers], abs=1e-3)
    assert all(entry["accepted"] == (entry["ood_score"] <= 1) for entry in said)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert [row["accepted"] for row in csv.DictReader(file)] == ["yes" if one.accepted else "no" for one in answers]


def test_a_refused_image_is_no_class_on_the_screen(corolla: Callable, calibrated: Path, many: Path) -> None:
    calibration = api.load(calibrated).calibration
    detector = calibration.ood_detector
    scale = replace(detector.scale, border=detector.scale.median + 1e-3)  # half of all are refused
    strict = replace(detector, scale=scale)
    replace(calibration, ood_detector=strict).save(calibrated / "calibration.safetensors")
    model = api.load(calibrated)
    answers = {file: model.predict(file) for file in sorted((many / "red").glob("*.png"))}
    for accepted in (True, False):
        file, answer = next((file, answer) for file, answer in answers.items() if answer.accepted == accepted)
        line = corolla("predict", calibrated, file, "--quiet").out
        assert ("none of these classes (OOD score " in line) == (not accepted)
        assert (f"{answer.probability:.1%}" in line) == accepted


def test_a_coverage_is_told_as_a_set(corolla: Callable, calibrated: Path, many: Path) -> None:
    file = sorted((many / "grün").glob("*.png"))[3]
    expected = api.load(calibrated).predict(file, coverage=0.9)
    said = corolla("predict", calibrated, file, "--coverage", "0.9", "--json", "--quiet")
    assert json.loads(said.out)[0]["labels"] == list(expected.labels)
    if expected.accepted and expected.labels:
        assert " or ".join(expected.labels) in corolla("predict", calibrated, file, "--coverage", "0.9", "--quiet").out
    everything = api.load(calibrated).predict(file, coverage=0.999)  # so few images cannot promise so much
    assert set(everything.labels) == set(api.load(calibrated).classes)


def test_evaluate_tells_how_far_to_believe_it(corolla: Callable, calibrated: Path, many: Path) -> None:
    plain = Path(shutil.copytree(calibrated, calibrated.with_name("plain")))
    (plain / "calibration.safetensors").unlink()
    one, other = (json.loads(corolla("evaluate", run, many, "--json", "--quiet").out) for run in (calibrated, plain))
    assert one["accuracy"] == other["accuracy"]
    assert other["trust"] is None
    assert one["trust"]["uncalibrated_log_loss"] == pytest.approx(other["log_loss"], abs=1e-4)
    assert one["trust"]["log_loss"] == pytest.approx(one["log_loss"], abs=1e-6)
    assert [each["promised"] for each in one["trust"]["coverages"]] == [0.8, 0.9, 0.95, 0.99]
    report, bare = (run.with_name(f"{run.name} measured") for run in (calibrated, plain))
    said = corolla("evaluate", calibrated, many, "--out", report, "--quiet").out
    assert corolla("evaluate", plain, many, "--out", bare, "--quiet").status == 0
    assert f"calibration error  {one['trust']['ece']:.1%}, " in said
    assert f"accepted  {one['trust']['accepted']:.1%}, " in said
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "before temperature scaling by" in page
    assert "This run is not calibrated" in (bare / "report.html").read_text(encoding="utf-8")


def test_what_cannot_be_calibrated_is_refused_in_a_line(
    corolla: Callable, run_copy: Path, calibrated: Path, images: Path, many: Path
) -> None:
    assert "needs training images and at least 20" in corolla("calibrate", run_copy, "--quiet").line
    assert "needs training images and at least 20" in corolla("calibrate", run_copy, images, "--quiet").line
    assert "comes with corolla" in corolla("calibrate", "flowers", images, "--quiet").line
    (calibrated / "calibration.safetensors").write_bytes(b"broken")
    line = corolla("predict", calibrated, images / "red" / "00 é.png", "--quiet").line
    assert "calibration.safetensors" in line
    assert "delete it to do without" in line
    assert corolla("calibrate", calibrated, many, "--quiet").status == 0
    assert corolla("predict", calibrated, images / "red" / "00 é.png", "--quiet").status == 0


def test_a_coverage_needs_a_calibrated_run(corolla: Callable, run_copy: Path, calibrated: Path, many: Path) -> None:
    file = sorted((many / "red").glob("*.png"))[0]
    assert "lies between 0 and 1" in corolla("predict", calibrated, file, "--coverage", "95", "--quiet").line
    (calibrated / "calibration.safetensors").unlink()
    assert "corolla calibrate" in corolla("predict", calibrated, file, "--coverage", "0.9", "--quiet").line


def test_a_browser_shows_the_report_of_a_real_run(corolla: Callable, calibrated: Path, many: Path) -> None:
    measured = calibrated.with_name("measured")
    assert corolla("evaluate", calibrated, many, "--robustness", "--out", measured, "--quiet").status == 0
    with opened(measured / "report.html") as (page, complaints):
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        sections = page.eval_on_selector_all("section", "parts => parts.map(part => part.id)")
        assert sections == [
            "headline", "confusion", "mistakes", "right", "per_class", "confidence", "robustness", "curves", "data",
            "training",
        ]  # fmt: skip
        why = page.locator("#mistakes img.why").first
        assert why.evaluate("image => getComputedStyle(image).opacity") == "0"
        page.get_by_label("Show the explanations").check()
        expect(why).to_have_css("opacity", "1")
        cell = page.locator(".matrix td.wrong a").first
        shown = int(cell.inner_text())
        cell.click()
        assert 0 < page.locator("#mistakes figure:visible").count() <= shown
        assert complaints == []
