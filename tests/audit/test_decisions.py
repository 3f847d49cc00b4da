"""The table of decisions: what it says, and that a training reads it so."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corolla.audit.decisions import Decision, decide, write_decisions
from corolla.audit.findings import Findings
from corolla.audit.labels import LabelCheck
from corolla.audit.run_audit import audit
from corolla.data.manifest import SPLITS
from corolla.data.sources import load_data
from corolla.errors import CorollaError


def by_name(decisions: tuple[Decision, ...], root: Path) -> dict[str, Decision]:
    return {row.path.removeprefix(f"{root.as_posix()}/"): row for row in decisions}


def with_suspect(findings: Findings, path: str, suggested: str) -> Findings:
    """The same findings with one label called into question, by those of nine images of the suggested class."""
    classes = findings.classes
    label = next(image.example.label for image in findings.used if image.path == path)
    sure = [image.path for image in findings.used if image.example.label == suggested][:9]
    labels = np.array([classes.index(label), *[classes.index(suggested)] * len(sure)])
    pred_probs = np.full((len(labels), len(classes)), 0.1)
    pred_probs[:, classes.index(suggested)] = 0.8
    found = LabelCheck("w", classes, (path, *sure), labels, pred_probs, 5)
    assert [suspect.path for suspect in found.suspects] == [path]
    return replace(findings, labels=found)


def test_what_is_sure_is_decided_and_a_split_is_made_where_there_is_none(flawed: Path, tmp_path: Path) -> None:
    found = audit(flawed)
    rows = by_name(decide(found, seed=3), found.root)
    assert len(rows) == 39
    out = {name: row.note for name, row in rows.items() if not row.split}
    assert out == {
        "blue/also green.png": "the same bytes are labeled blue and green",
        "green/00.png": "the same bytes are labeled blue and green",
        "green/broken.jpg": "cannot be read: not an image in a known format",
        "red/copy of 00.png": "the same bytes as red/00.png",
    }
    assert rows["red/01.png"].note == "near-duplicate of red/smaller 01.jpg"
    assert rows["red/01.png"].split == rows["red/smaller 01.jpg"].split
    assert {row.split for row in rows.values()} == {"", *SPLITS}
    assert all(not row.suggested for row in rows.values())

    write_decisions(tuple(rows.values()), found.root, tmp_path / "fixed.csv")
    manifest = load_data(tmp_path / "fixed.csv")
    read = {e.path.removeprefix(f"{flawed.as_posix()}/"): (e.label, e.split) for e in manifest.examples}
    assert read == {name: (row.label, row.split) for name, row in rows.items() if row.split}
    reasons = {s.path.removeprefix(f"{flawed.as_posix()}/"): s.reason for s in manifest.skipped}
    assert reasons == {name: f"left out by the table: {note}" for name, note in out.items()}
    assert audit(tmp_path / "fixed.csv").refusal == ""


def test_the_split_is_the_one_that_a_training_makes(sound: Path) -> None:
    for seed in (0, 1):
        expected = {example.path: example.split for example in load_data(sound, seed=seed).examples}
        assert {row.path: row.split for row in decide(audit(sound), seed=seed)} == expected


def test_splits_that_are_there_stay_and_what_the_table_left_out_stays_out(split_table: Path, tmp_path: Path) -> None:
    before = load_data(split_table)
    rows = decide(audit(split_table))
    kept = {row.path: row.split for row in rows if row.split}
    assert kept.items() <= {example.path: example.split for example in before.examples}.items()
    [copy] = [row for row in rows if "copy of" in row.path]
    assert (copy.split, copy.label, copy.note) == ("", "red", "a copy")
    [first] = [row for row in rows if row.path.endswith("red/00.png")]
    assert (first.split, first.note) == ("train", "")
    write_decisions(rows, split_table.parent, tmp_path / "fixed.csv")
    assert {e.path: e.split for e in load_data(tmp_path / "fixed.csv").examples} == kept


def test_of_copies_in_several_splits_the_one_that_is_measured_on_stays(split_table: Path) -> None:
    text = split_table.read_text(encoding="utf-8")
    text = text.replace("red/copy of 00.png,red,,,a copy", "red/copy of 00.png,red,test,,")
    split_table.write_text(text.replace("smaller 01.jpg,red,val", "smaller 01.jpg,red,test"), encoding="utf-8")
    rows = {row.path.rsplit("/", 1)[-1]: row for row in decide(audit(split_table)) if "/red/" in row.path}
    assert rows["copy of 00.png"].split == "test"
    assert (rows["00.png"].split, rows["00.png"].note.rsplit("/", 1)[-1]) == ("", "copy of 00.png")
    assert rows["01.png"].note.endswith("smaller 01.jpg in test")
    assert rows["smaller 01.jpg"].note.endswith("01.png in val")


def test_a_suggested_label_is_for_the_person_to_take(sound: Path) -> None:
    found = with_suspect(audit(sound), "red/03.png", "blue")
    row = by_name(decide(found), found.root)["red/03.png"]
    assert (row.label, row.suggested, row.note) == ("red", "blue", "looks like blue")
    row = by_name(decide(found, relabel=True), found.root)["red/03.png"]
    assert (row.label, row.suggested, row.note) == ("blue", "", "was labeled red")
    others = [row for row in decide(found, relabel=True) if row.path != "red/03.png"]
    assert all(row.label == row.path.split("/")[0] and not row.note for row in others)


def test_a_left_out_file_is_not_relabeled(flawed: Path) -> None:
    found = with_suspect(audit(flawed), "green/00.png", "red")
    row = by_name(decide(found, relabel=True), found.root)["green/00.png"]
    assert (row.label, row.split) == ("green", "")


def test_paths_lead_from_the_table_to_the_images(sound: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(sound, tmp_path / "data" / "images"))
    found = audit(root)
    for file, start in (
        (tmp_path / "data" / "fixed.csv", "images/blue/00.png"),
        (root / "fixed.csv", "blue/00.png"),
        (tmp_path / "elsewhere" / "fixed.csv", f"{root.as_posix()}/blue/00.png"),
    ):
        write_decisions(decide(found), found.root, file)
        [header, first, *_] = csv.reader(file.read_text(encoding="utf-8").splitlines())
        assert header == ["path", "label", "split", "group", "note", "suggested"]
        assert first[0] == start
        assert len(load_data(file).examples) == 30


def test_nothing_to_keep_or_to_split_is_one_line(sound: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(sound, tmp_path / "images"))
    for file in sorted((root / "red").iterdir())[2:]:
        file.unlink()
    with pytest.raises(CorollaError, match="class 'red' has too few images"):
        decide(audit(root))
    for file in root.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(CorollaError, match="would be kept"):
        decide(audit(root))
