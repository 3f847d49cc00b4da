"""`corolla predict`: names and probabilities as lines, JSON, a table and a grid; bad images told and left out."""

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import corolla as api


@pytest.fixture
def mixed(images: Path, tmp_path: Path) -> Path:
    """A folder with three images, one of them in a folder below, and two files that are none."""
    folder = tmp_path / "holiday photos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(images / "red" / "00 é.png", folder / "b.png")
    shutil.copy(images / "grün" / "00 é.png", folder / "c.dat")
    shutil.copy(images / "red" / "01 é.png", folder / "below" / "a.png")
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes()[:100])
    (folder / "d.jpg").write_text("a letter")
    return folder


def test_json_agrees_with_the_api(corolla: Callable, trained: Path, images: Path) -> None:
    files = [images / "red" / "03 é.png", images / "grün" / "00 é.png"]
    said = corolla("predict", trained, *files, "--json", "--device", "cpu")
    assert said.status == 0
    answers = json.loads(said.out)
    model = api.load(trained)
    for file, answer in zip(files, answers, strict=True):
        expected = model.predict(file)
        assert answer["path"] == str(file)
        assert answer["label"] == expected.label == answer["top"][0]["label"]
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)
        assert [entry["label"] for entry in answer["top"]] == [label for label, _ in expected.top]
        assert sum(entry["probability"] for entry in answer["top"]) == pytest.approx(1, abs=1e-5)


def test_predict_over_the_test_images_gives_evaluates_accuracy(corolla: Callable, run_copy: Path) -> None:
    with (run_copy / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    root = Path(json.loads((run_copy / "config.json").read_text(encoding="utf-8"))["data"]["root"])
    answers = json.loads(corolla("predict", run_copy, *(root / row["path"] for row in rows), "--json").out)
    right = [answer["label"] == row["label"] for answer, row in zip(answers, rows, strict=True)]
    assert sum(right) / len(right) == json.loads(corolla("evaluate", run_copy, "--json").out)["accuracy"]


def test_a_folder_is_walked_in_order_and_bad_images_are_told(corolla: Callable, trained: Path, mixed: Path) -> None:
    said = corolla("predict", trained, mixed)
    assert said.status == 0
    assert [line.split("  ")[0] for line in said.out.splitlines()] == [
        str(mixed / name) for name in ("b.png", "c.dat", "below/a.png")
    ]
    assert [line.partition(": ")[2] for line in said.err.splitlines()] == [
        f"cannot read {mixed / 'a.png'}: truncated: the file ends before the image does",
        f"cannot read {mixed / 'd.jpg'}: not an image in a known format",
    ]


def test_json_keeps_an_entry_for_a_bad_image(corolla: Callable, trained: Path, mixed: Path) -> None:
    answers = json.loads(corolla("predict", trained, mixed, "--json", "--quiet").out)
    assert [Path(answer["path"]).name for answer in answers] == ["a.png", "b.png", "c.dat", "d.jpg", "a.png"]
    known = ["accepted", "label", "ood_score", "path", "probability", "top"]
    assert [sorted(answer) for answer in answers[:2]] == [["error", "path"], known]


def test_lines_stand_below_each_other(
    corolla: Callable, trained: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mixed)
    lines = corolla("predict", trained, ".", "--top", 2, "--quiet").out.splitlines()
    assert len({line.index("%") for line in lines}) == 1
    assert all(line.count("%") == 2 for line in lines)


def test_the_table_has_a_row_for_each_answer_and_columns_for_the_top(
    corolla: Callable, trained: Path, mixed: Path, tmp_path: Path
) -> None:
    table = tmp_path / "new" / "answers.csv"
    said = corolla("predict", trained, mixed, "--csv", table, "--top", 2, "--json", "--quiet")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["path", "label", "probability", "accepted", "label_2", "probability_2"]
    answers = [answer for answer in json.loads(said.out) if "top" in answer]
    assert [row["path"] for row in rows] == [answer["path"] for answer in answers]
    assert [float(row["probability_2"]) for row in rows] == [answer["top"][1]["probability"] for answer in answers]


def test_the_plot_is_a_png(corolla: Callable, trained: Path, mixed: Path, tmp_path: Path) -> None:
    assert corolla("predict", trained, mixed, "--plot", tmp_path / "grid.PNG", "--quiet").status == 0
    with Image.open(tmp_path / "grid.PNG") as grid:
        assert grid.format == "PNG"
        assert grid.width > grid.height > 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jpg"], "cannot read nowhere.jpg: no such file"),
        (["nowhere.jpg", "nowhere2.jpg"], "none of the 2 images"),
        (["no*where.jpg"], "no file matches"),
        (["nothing://x.jpg"], "cannot read nothing://x.jpg: "),
        (["-", "-"], "give - once"),
        (["x.jpg", "--plot", "grid.jpg"], ".png"),
        (["x.jpg", "--csv", "."], "is a folder"),
        (["x.jpg", "--device", "abacus:99"], "abacus:99"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_answered(words: list[str], said: str, corolla: Callable, trained: Path) -> None:
    ended = corolla("predict", trained, *words, "--quiet")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err.splitlines()[-1]
    assert all(line.startswith("corolla: ") for line in ended.err.splitlines())


def test_an_empty_folder(corolla: Callable, trained: Path, tmp_path: Path) -> None:
    assert "holds no files" in corolla("predict", trained, tmp_path).line


def test_a_folder_that_is_no_run(corolla: Callable, tmp_path: Path) -> None:
    assert "is not a run folder" in corolla("predict", tmp_path, "x.jpg").line


def test_an_image_on_standard_input(
    corolla: Callable, trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = images / "red" / "00 é.png"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))
    said = corolla("predict", trained, "-", "--json", "--plot", tmp_path / "grid.png")
    [answer] = json.loads(said.out)
    assert answer["path"] == "-"
    assert answer["label"] == api.load(trained).predict(file).label


def test_in_a_pipe(trained: Path, images: Path, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    names = "\n".join(str(path) for path in sorted((images / "red").iterdir())[:3])
    with start("predict", trained, "-", "--json", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(names.encode())
    assert process.returncode == 0
    assert [answer["path"] for answer in json.loads(out)] == names.splitlines()
    assert err == b""


@pytest.mark.skipif("os.name == 'nt'")
def test_a_file_name_that_is_no_text(corolla: Callable, trained: Path, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        shutil.copy(images / "red" / "00 é.png", str(folder).encode() + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    for words in ([], ["--json"], ["--csv", tmp_path / "a.csv"], ["--plot", tmp_path / "a.png"]):
        assert corolla("predict", trained, folder, *words).status == 0
    [answer] = json.loads(corolla("predict", trained, folder, "--json").out)
    assert answer["path"].endswith("\udcff.png")
