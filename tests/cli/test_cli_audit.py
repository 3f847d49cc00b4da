"""`corolla audit`: its tables, its files, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from corolla.data.sources import load_data


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(images: Path, here: Path) -> Path:
    """A copy of the images with a copy of one, the same image under two classes, and a file that is no image."""
    root = Path(shutil.copytree(images, here / "my images"))
    shutil.copy(root / "red" / "00 é.png", root / "red" / "again.png")
    shutil.copy(root / "grün" / "01 é.png", root / "red" / "grün.png")
    (root / "red" / "broken.png").write_bytes(b"")
    return root


def test_the_table_the_page_and_the_json(corolla: Callable, own: Path) -> None:
    said = corolla("audit", "my images")
    assert said.status == 0
    assert said.out.startswith("38 images of 3 classes, without splits\n")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "1 photograph is labeled with more than one class." in lines
    assert "Exact duplicates 2 sets" in lines
    assert "Unreadable files 1" in lines
    assert "Labels likely wrong not checked; give --weights" in lines
    assert "red 14" in lines
    assert "audit: audit-my-images/audit.html" in said.err.replace("\\", "/")
    folder = own.parent / "audit-my-images"
    assert {file.name for file in folder.iterdir()} == {"audit.html", "audit.json"}
    assert "<html" in (folder / "audit.html").read_text(encoding="utf-8")
    told = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert told["exact_duplicates"][0]["labels"] == ["grün", "red"]


def test_json_is_what_the_file_holds(corolla: Callable, own: Path) -> None:
    said = corolla("audit", own, "--json", "--quiet", "--out", "told")
    assert (said.status, said.err) == (0, "")
    assert json.loads(said.out) == json.loads(Path("told/audit.json").read_text(encoding="utf-8"))


def test_labels_are_judged_by_a_run(corolla: Callable, own: Path, trained: Path) -> None:
    said = corolla("audit", own, "--weights", trained, "--device", "cpu", "--json", "--quiet")
    told = json.loads(said.out)["labels"]
    assert (told["weights"], told["judged"], told["folds"]) == (str(trained), 38, 5)
    assert sum(map(sum, told["confident_joint"])) <= 38
    again = corolla("audit", own, "--weights", trained, "--device", "cpu", "--quiet")
    first = told["suspects"][:1]
    assert all(suspect["path"] in again.out and "looks like" in again.out for suspect in first)


def test_an_earlier_audit_is_written_over_and_nothing_else(corolla: Callable, own: Path) -> None:
    assert corolla("audit", own, "--out", "told", "--quiet").status == 0
    (own / "red" / "broken.png").unlink()
    assert corolla("audit", own, "--out", "told", "--quiet").status == 0
    assert json.loads(Path("told/audit.json").read_text(encoding="utf-8"))["unreadable"] == []
    Path("told/notes.txt").write_text("mine")
    assert "told holds something else than an audit" in corolla("audit", own, "--out", "told").line
    Path("file").touch()
    assert "file holds something else" in corolla("audit", own, "--out", "file").line


def test_the_table_of_decisions_is_data(corolla: Callable, own: Path) -> None:
    before = sorted((file, file.stat().st_mtime_ns) for file in own.rglob("*"))
    said = corolla("audit", own, "--fix", "fixed.csv")
    assert said.status == 0
    assert "decisions: fixed.csv, 35 of 39 files are kept" in said.err
    assert sorted((file, file.stat().st_mtime_ns) for file in own.rglob("*")) == before
    manifest = load_data("fixed.csv")
    assert len(manifest.examples) == 35
    assert {Path(skipped.path).name for skipped in manifest.skipped} == {
        "again.png", "grün.png", "01 é.png", "broken.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing"], "there is no 'nothing'"),
        (["my images", "--weights", "flowrs"], "no published weights and no file 'flowrs'"),
        (["my images", "--fix", "fixed.txt"], "should end in .csv"),
        (["my images", "--fix", "there.csv"], "there.csv is there already"),
        (["my images", "--relabel"], "--relabel"),
        (["my images", "--relabel", "--fix", "a.csv"], "needs --weights"),
        (["my images", "--out", "my images/audit"], "give --out another place"),
        (["my images", "--fix", "my images/red/fixed.csv"], "give --fix another place"),
        (["my images", "--seed", "-1"], "--seed"),
        (["my images", "--weights", "flowers", "--device", "abacus"], "abacus"),
    ],
)
def test_what_the_user_can_mend_is_one_line(corolla: Callable, own: Path, words: list[str], expected: str) -> None:
    (own.parent / "there.csv").touch()
    before = sorted(own.parent.rglob("*"))
    assert expected in corolla("audit", *words, "--quiet").line
    assert sorted(own.parent.rglob("*")) == before


def test_in_the_folder_itself_it_is_told_to_go_elsewhere(
    corolla: Callable, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own)
    assert "give --out another place" in corolla("audit", ".", "--quiet").line
    assert corolla("audit", ".", "--quiet", "--out", "../told").status == 0
