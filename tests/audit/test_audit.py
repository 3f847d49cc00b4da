"""The whole audit: what it counts, and that it survives what a training refuses."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from corolla.audit.concerns import concerns, counts
from corolla.audit.findings import Findings
from corolla.audit.run_audit import audit
from corolla.errors import CorollaError

NOTES = ("label_conflict", "exact_duplicate")  # of the rows that flower_photos' own table leaves out


def found_by(findings: Findings) -> dict[str, str]:
    return {each.what: each.found.replace("\u00a0", " ") for each in counts(findings)}


def said(findings: Findings) -> str:
    return " ".join(concerns(findings)).replace("\u00a0", " ")


def test_a_sound_folder_raises_no_concern(sound: Path) -> None:
    found = audit(sound)
    assert concerns(found) == []
    assert (found.classes, len(found.used), found.splits) == (("blue", "green", "red"), 30, ())
    assert found.imbalance == 1.0
    assert set(found_by(found).values()) <= {"0", "0 sets", "no splits", "not checked"}


def test_every_flaw_is_counted_once(flawed: Path) -> None:
    found = audit(flawed)
    assert found_by(found) == {
        "Labels likely wrong": "not checked",
        "Exact duplicates": "2 sets",
        "Near-duplicates": "1 set",
        "Copies across classes": "1 set",
        "Copies across splits": "no splits",
        "Unreadable files": "1",
        "Blank images": "1",
        "Grayscale images": "1",
        "Sides below 64 pixels": "1",
        "Longer than 2 : 1": "1",
        "Damaged EXIF": "1",
        "Likely placeholders": "0",
    }
    assert said(found) == (
        "1 photograph is labeled with more than one class. 1 file cannot be read and would be left out. "
        "1 image shows nothing."
    )
    assert [(example.path, reason) for example, reason in found.unreadable] == [
        ("green/broken.jpg", "not an image in a known format")
    ]


def test_json_has_everything_and_is_json(flawed: Path) -> None:
    told = json.loads(json.dumps(audit(flawed).to_json(), allow_nan=False))
    assert told["images"] == sum(row["images"] for row in told["classes"]) == 38
    assert told["unreadable"] == [
        {"path": "green/broken.jpg", "label": "green", "reason": "not an image in a known format"}
    ]
    assert [row["paths"] for row in told["near_duplicates"]] == [["red/01.png", "red/smaller 01.jpg"]]
    assert told["odd"]["long"] == [{"path": "green/long.png", "details": "210 x 100 pixels"}]
    assert told["width"] == {"least": 30.0, "median": 96.0, "most": 210.0}
    assert told["labels"] is told["refusal"] is None


def test_rows_that_the_table_leaves_out_are_looked_at_as_files_alone(split_table: Path) -> None:
    found = audit(split_table)
    [left] = [image for image in found.images if image.left_out]
    assert (left.path.rsplit("/", 1)[-1], left.example.label) == ("copy of 00.png", "red")
    assert left.left_out == "left out by the table: a copy"
    assert left not in found.used
    assert sum(found.counts.values()) == len(found.used) == 37
    assert any(left in copies.images for copies in found.exact)


def test_a_row_left_out_whose_file_is_gone_is_no_matter(split_table: Path) -> None:
    with split_table.open("a", encoding="utf-8") as file:
        file.write("gone.jpg,red,,,gone\n")
    assert len(audit(split_table).images) == 38


def test_copies_that_are_left_out_already_are_no_concern(split_table: Path) -> None:
    assert "1 photograph is labeled with more than one class" in said(audit(split_table))
    rows = list(csv.DictReader(split_table.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        if row["path"].endswith("also green.png"):
            row["split"], row["note"] = "", "two labels"
    with split_table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = audit(split_table)
    assert "more than one class" not in said(found)
    assert found_by(found)["Copies across classes"] == "1 set"


def test_groups_across_splits_are_told(split_table: Path) -> None:
    text = split_table.read_text(encoding="utf-8")
    text = text.replace("blue/00.png,blue,train,", "blue/00.png,blue,train,ann")
    split_table.write_text(text.replace("blue/01.png,blue,val,", "blue/01.png,blue,val,ann"), encoding="utf-8")
    found = audit(split_table)
    assert found.groups == (("ann", ("train", "val")),)
    assert "1 group is in more than one split (ann)" in said(found)


@pytest.fixture
def own(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound images that may be changed."""
    return Path(shutil.copytree(sound, tmp_path / "images"))


def test_it_survives_a_single_class(own: Path) -> None:
    shutil.rmtree(own / "blue")
    shutil.rmtree(own / "red")
    found = audit(own)
    assert "has the single class 'green'" in found.refusal
    assert len(found.used) == 10


def test_it_survives_a_class_that_cannot_be_read(own: Path) -> None:
    for file in (own / "red").iterdir():
        file.write_bytes(b"")
    found = audit(own)
    assert "no readable image of red" in found.refusal
    assert (found.imbalance, len(found.unreadable)) == (None, 10)
    assert "10 files cannot be read" in said(found)


def test_it_survives_a_class_with_too_few_images(own: Path) -> None:
    for file in sorted((own / "red").iterdir())[2:]:
        file.unlink()
    found = audit(own)
    assert "class 'red' has too few images (2)" in found.refusal
    assert "5.0 times as many images" in said(found)


def test_it_survives_nothing_readable(own: Path) -> None:
    for file in own.rglob("*.png"):
        file.write_bytes(b"")
    found = audit(own)
    assert "has no readable image" in found.refusal
    assert found.used == ()
    assert json.dumps(found.to_json())


def test_data_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="there is no"):
        audit(tmp_path / "nothing")


def test_nothing_of_the_users_is_changed(own: Path) -> None:
    before = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(own.rglob("*"))}
    audit(own)
    assert {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(own.rglob("*"))} == before


def test_real_duplicates_are_found(flower_photos: Path, tmp_path: Path) -> None:
    """All that its `splits.csv` notes, among every tenth of its images: conflict, exact copies, duplicate groups."""
    rows = list(csv.DictReader((flower_photos / "splits.csv").read_text(encoding="utf-8").splitlines()))
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["duplicate_group"], set()).add((flower_photos / row["path"]).as_posix())
    noted = [paths for paths in groups.values() if len(paths) > 1]
    assert len(noted) == 6
    lines = ["path,label,split,note"]
    for number, row in enumerate(rows):
        path = (flower_photos / row["path"]).as_posix()
        if number % 10 == 0 or any(path in paths for paths in noted):
            lines.append(f"{path},{row['label']},{row['split']},{row['note']}")
    (tmp_path / "some.csv").write_text("\n".join(lines), encoding="utf-8")
    found = audit(tmp_path / "some.csv")
    sets = [{image.path for image in copies.images} for copies in (*found.exact, *found.near)]
    assert [paths for paths in noted if not any(paths <= one for one in sets)] == []
    by_note = {note: {p.path for p in found.images if p.left_out.endswith(note)} for note in NOTES}
    assert [len(paths) for paths in by_note.values()] == [2, 2]
    exact = {image.path: copies for copies in found.exact for image in copies.images}
    assert {exact[path].labels for path in by_note["label_conflict"]} == {("roses", "tulips")}
    assert {len(exact[path].labels) for path in by_note["exact_duplicate"]} == {1}
