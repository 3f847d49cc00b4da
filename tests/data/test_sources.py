import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from corolla.data import sources
from corolla.data.duplicates import contradictions
from corolla.data.manifest import SPLITS, Manifest
from corolla.data.sources import load_data
from corolla.errors import CorollaError


@pytest.fixture
def tree(tmp_path: Path, make_image) -> Path:
    """Ten different images of each of two classes."""
    for number, label in enumerate(("rose", "tulip")):
        for n in range(10):
            make_image(tmp_path / "my flowers" / label / f"{n} ü.jpg", 100 * number + n)
    return tmp_path / "my flowers"


def zipped(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


def sizes(manifest: Manifest) -> tuple[int, ...]:
    return tuple(len(manifest.split(name)) for name in SPLITS)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def refusal(source: str | Path, **options) -> str:
    with pytest.raises(CorollaError) as caught:
        load_data(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder(tree: Path) -> None:
    before = state(tree)
    seen: list[tuple[str, int, int]] = []
    manifest = load_data(tree, progress=lambda *now: seen.append(now))
    assert manifest.root == tree
    assert manifest.classes == ("rose", "tulip")
    assert sizes(manifest) == (14, 3, 3)
    assert all(hashlib.sha256(manifest.locate(e).read_bytes()).hexdigest() == e.sha256 for e in manifest.examples)
    assert seen[-1] == ("checking", 20, 20)
    assert load_data(str(tree)) == manifest
    assert load_data(tree, seed=1) != manifest
    assert sizes(load_data(tree, fractions=(0.5, 0.3, 0.2))) == (10, 6, 4)
    assert state(tree) == before


def test_a_relative_folder_becomes_absolute(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.parent)
    assert load_data("my flowers").root == tree


def test_a_folder_with_splits(tree: Path, make_image) -> None:
    for split, n in (("train", 6), ("Valid", 2), ("test", 3)):
        for number, label in enumerate(("rose", "tulip")):
            for image in range(n):
                make_image(tree / "s" / split / label / f"{image}.png", ord(split[0]) * 100 + 10 * number + image)
    manifest = load_data(tree / "s")
    assert sizes(manifest) == (12, 4, 6)
    assert {(e.path.split("/")[0], e.split) for e in manifest.examples} == {
        ("train", "train"),
        ("Valid", "val"),
        ("test", "test"),
    }
    shutil.rmtree(tree / "s" / "Valid")
    carved = load_data(tree / "s")
    assert sizes(carved) == (10, 2, 6)
    assert {e.path.split("/")[0] for e in carved.split("val")} == {"train"}


def test_a_class_that_training_lacks_is_refused_and_one_that_others_lack_is_told(tmp_path: Path, make_image) -> None:
    for number, place in enumerate(("train/daisy", "train/rose", "val/rose", "test/daisy")):
        make_image(tmp_path / "d" / place / "1.png", number)
    manifest = load_data(tmp_path / "d")
    assert manifest.classes == ("daisy", "rose")
    assert manifest.counts("val") == {"daisy": 0, "rose": 1}
    assert manifest.notes == (
        "val has no image of 1 class of 2: daisy",
        "test has no image of 1 class of 2: rose",
    )
    make_image(tmp_path / "d" / "val" / "tulip" / "1.png", 9)
    message = refusal(tmp_path / "d")
    assert message.startswith(f"val of {tmp_path / 'd'} has 1 class that train lacks (tulip)")
    assert len(message) < 300


def test_images_too_alike_to_be_kept_together_are_spread_and_told(tmp_path: Path, make_image) -> None:
    for number, label in enumerate(("scratched", "whole")):
        with Image.open(make_image(tmp_path / "parts" / label / "0.png", number)) as first:
            for n in range(1, 12):
                image = first.copy()
                image.putpixel((n, n), (255, 0, 0))
                image.save(tmp_path / "parts" / label / f"{n}.png")
    manifest = load_data(tmp_path / "parts")
    assert sizes(manifest) == (16, 4, 4)
    [note] = manifest.notes
    assert note.startswith("24 of 24 images are near-duplicates")
    assert load_data(tmp_path / "parts", duplicates="ignore").examples == manifest.examples
    assert load_data(tmp_path / "parts", duplicates="ignore").notes == ()
    message = refusal(tmp_path / "parts", duplicates="group")
    assert "'scratched' has too few images (12 in 1 independent sets), and so have 'whole'" in message
    assert "--duplicates ignore" in message


def test_a_class_that_is_unreadable_in_one_split_is_noticed(tmp_path: Path, make_image) -> None:
    for split in ("train", "val", "test"):
        for number, label in enumerate(("rose", "tulip")):
            make_image(tmp_path / "d" / split / label / "1.png", 10 * len(split) + number)
    (tmp_path / "d" / "test" / "tulip" / "1.png").write_bytes(b"")
    message = refusal(tmp_path / "d")
    assert "no readable image of tulip in test of" in message
    assert "the file is empty" in message


def test_too_few_classes_or_images(tmp_path: Path, make_image) -> None:
    make_image(tmp_path / "one" / "rose" / "1.png", 1)
    assert "the single class 'rose'" in refusal(tmp_path / "one")
    (tmp_path / "one" / "tulip").mkdir()
    assert "no readable image of tulip" in refusal(tmp_path / "one")
    make_image(tmp_path / "one" / "tulip" / "1.png", 2)
    assert "class 'rose' has too few images (1)" in refusal(tmp_path / "one")
    (tmp_path / "empty").mkdir()
    assert "no class folders" in refusal(tmp_path / "empty")
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "b").mkdir()
    (tmp_path / "bad" / "a" / "1.jpg").write_text("no image")
    assert "has no readable image; the first of 1 left out is a/1.jpg: not an image" in refusal(tmp_path / "bad")


def test_what_cannot_be_read_is_listed_or_stops(tree: Path) -> None:
    (tree / "rose" / "notes.txt").write_text("water daily")
    (tree / "loose.png").write_bytes(b"")
    manifest = load_data(tree)
    assert sizes(manifest) == (14, 3, 3)
    assert [(s.path, s.reason) for s in manifest.skipped] == [
        ("loose.png", "it is outside every class folder"),
        ("rose/notes.txt", "not an image in a known format"),
    ]
    assert "loose.png" in refusal(tree, strict=True)
    (tree / "loose.png").unlink()
    assert "notes.txt: not an image in a known format" in refusal(tree, strict=True)


def test_copies_stay_on_one_side_and_contradictions_are_kept(tree: Path, make_image) -> None:
    for n in range(10):
        shutil.copy(tree / "rose" / f"{n} ü.jpg", tree / "rose" / f"copy {n}.jpg")
    shutil.copy(tree / "rose" / "0 ü.jpg", tree / "tulip" / "also.jpg")
    for n in range(10):
        with Image.open(tree / "tulip" / f"{n} ü.jpg") as image:
            image.resize((80, 60), Image.Resampling.BICUBIC).save(tree / "tulip" / f"larger {n}.png")
    manifest = load_data(tree)
    side = {e.path: e.split for e in manifest.examples}
    assert len(side) == 41
    assert all(side[f"rose/{n} ü.jpg"] == side[f"rose/copy {n}.jpg"] for n in range(10))
    assert all(side[f"tulip/{n} ü.jpg"] == side[f"tulip/larger {n}.png"] for n in range(10))
    assert [[e.path for e in same] for same in contradictions(manifest.examples)] == [
        ["rose/0 ü.jpg", "rose/copy 0.jpg", "tulip/also.jpg"]
    ]
    assert side["tulip/also.jpg"] == side["rose/0 ü.jpg"]


def write_table(folder: Path, name: str = "data.csv", split: str = "", above: str = "") -> Path:
    lines = ["path,label,split"]
    for file in sorted(folder.rglob("*.jpg")):
        lines.append(f"{above}{file.relative_to(folder).as_posix()},{file.parent.name},{split}")
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def test_a_csv(tree: Path) -> None:
    table = write_table(tree)
    with table.open("a", encoding="utf-8") as file:
        file.write("\nrose/gone.jpg,rose,")
    manifest = load_data(table)
    assert sizes(manifest) == (14, 3, 3)
    assert [(s.path, s.reason) for s in manifest.skipped] == [("rose/gone.jpg", "no such file")]
    assert f"missing files were searched for in {tree}" in manifest.notes
    assert "gone.jpg: no such file" in refusal(table, strict=True)


def test_rows_that_the_table_leaves_out_do_not_stop_a_strict_run(tree: Path) -> None:
    table = write_table(tree, split="train")
    with table.open("a", encoding="utf-8") as file:
        file.write("\nrose/blurred.jpg,rose,")
    manifest = load_data(table, strict=True)
    assert [(s.path, s.reason) for s in manifest.skipped] == [("rose/blurred.jpg", "left out by the table")]


def test_a_folder_of_images_beside_a_table_means_the_table(tree: Path) -> None:
    home = tree.parent / "kaggle"
    (home / "images").mkdir(parents=True)
    lines = ["image,label"]
    for file in sorted(tree.rglob("*.jpg")):
        name = f"{file.parent.name} {file.name}"
        shutil.copy(file, home / "images" / name)
        lines.append(f"images/{name},{file.parent.name}")
    assert "no class folders: all its images are in images" in refusal(home)
    (home / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    assert load_data(home).classes == ("rose", "tulip")
    assert load_data(zipped(home, home.parent / "k.zip", "wrapped/")).classes == ("rose", "tulip")
    for file in (home / "images").iterdir():
        file.rename(home / file.name)
    (home / "images").rmdir()
    (home / "labels.csv").write_text("\n".join(lines).replace("images/", ""), encoding="utf-8")
    assert load_data(home).classes == ("rose", "tulip")


def test_class_folders_beside_a_table_mean_the_folders(tree: Path) -> None:
    (tree / "splits.csv").write_text("path,label\nrose/0 ü.jpg,thing\nrose/1 ü.jpg,thing\n", encoding="utf-8")
    assert load_data(tree).classes == ("rose", "tulip")


@pytest.mark.parametrize("inside", ["", "wrapped/"])
def test_zips_of_a_tree_and_of_a_table(tree: Path, own_cache: Path, inside: str) -> None:
    manifest = load_data(zipped(tree, tree.parent / "tree.zip", inside))
    assert manifest.root.is_relative_to(own_cache)
    assert manifest.examples == load_data(tree).examples
    write_table(tree, split="train")
    (tree / "daisy").mkdir()
    shutil.copy(tree / "rose" / "0 ü.jpg", tree / "daisy" / "unlisted.png")
    assert load_data(zipped(tree, tree.parent / "table.zip", inside)).classes == ("rose", "tulip")


@pytest.mark.parametrize("above", ["../", "/", "C:/"])
def test_a_table_in_a_zip_may_not_point_out_of_it(tree: Path, above: str) -> None:
    write_table(tree, above=above)
    assert "outside the zip" in refusal(zipped(tree, tree.parent / "data.zip"))


def test_flowers_from_a_given_folder(flower_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_DATA", str(flower_photos.parent))
    manifest = load_data("flowers")
    assert manifest == load_data(flower_photos / "splits.csv")
    assert sizes(manifest) == (2558, 555, 553)
    assert Counter(s.reason for s in manifest.skipped) == {
        "left out by the table: label_conflict": 2,
        "left out by the table: exact_duplicate": 2,
    }
    sides: dict[str, set[str]] = {}
    for example in manifest.examples:
        sides.setdefault(example.sha256, set()).add(example.split)
    assert len(sides) == len(manifest.examples)
    assert all(len(where) == 1 for where in sides.values())


def test_flowers_without_a_table(tree: Path, make_image, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, label in enumerate(("daisy", "dandelion", "roses", "sunflowers", "tulips")):
        for n in range(4):
            make_image(tree / "flower_photos" / label / f"{n}.png", 10 * number + n)
    monkeypatch.setenv("COROLLA_DATA", str(tree))
    assert sizes(load_data("flowers")) == (10, 5, 5)


def test_painted(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setattr(sources, "PAINTED_COUNT", 15)
    seen: list[tuple[str, int, int]] = []
    manifest = load_data("painted", progress=lambda *now: seen.append(now))
    assert manifest.classes == ("daisy", "dandelion", "rose", "sunflower", "tulip")
    assert sizes(manifest) == (5, 5, 5)
    assert manifest.root.is_relative_to(own_cache)
    assert ("painting", 15, 15) in seen
    seen.clear()
    assert load_data("painted", progress=lambda *now: seen.append(now)) == manifest
    assert {what for what, _, _ in seen} == {"checking"}


def test_a_folder_called_like_a_built_in_set(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.rename(tree.parent / "painted")
    monkeypatch.chdir(tree.parent)
    assert load_data(Path("painted")).root == tree.parent / "painted"
    assert load_data("./painted").root == tree.parent / "painted"


def test_what_is_no_source(tmp_path: Path) -> None:
    assert "there is no" in refusal(tmp_path / "gone")
    (tmp_path / "a.jpg").touch()
    assert "cannot use" in refusal(tmp_path / "a.jpg")
    (tmp_path / "a.zip").touch()
    assert "not a zip" in refusal(tmp_path / "a.zip")


def test_the_manifest_can_be_saved_and_used_again_as_a_table(tree: Path) -> None:
    manifest = load_data(tree)
    manifest.save(tree / "manifest.csv")
    again = load_data(tree / "manifest.csv")
    assert again.examples == manifest.examples
    assert again.digest == manifest.digest


def test_asking_for_the_cache_folder_imports_nothing_heavy() -> None:
    code = "import sys, corolla.data; print([m for m in ('numpy', 'PIL', 'torch') if m in sys.modules])"
    path = os.pathsep.join(filter(None, ["src", os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.strip() == "[]"
