import os
import sys
import unicodedata
from pathlib import Path

import pytest

from corolla.data.folders import list_folder
from corolla.errors import CorollaError


def lay(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def rows(folder: Path) -> list[tuple[str, str, str]]:
    return [(example.path, example.label, example.split) for example in list_folder(folder).examples]


def link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("links cannot be made here")


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    lay(tmp_path, "rose/b.jpg", "rose/a.jpg", "tulip/deep/er/c.jpg", "README.md", "splits.csv")
    assert rows(tmp_path) == [
        ("rose/a.jpg", "rose", ""),
        ("rose/b.jpg", "rose", ""),
        ("tulip/deep/er/c.jpg", "tulip", ""),
    ]
    assert list_folder(tmp_path).misplaced == ()


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("val", "val"),
        ("valid", "val"),
        ("Validation", "val"),
        ("TEST", "test"),
        ("Testing", "test"),
    ],
)
def test_splits_above_the_classes(tmp_path: Path, folder: str, split: str) -> None:
    lay(tmp_path, "train/rose/1.jpg", f"{folder}/rose/2.jpg", f"{folder}/tulip/3.jpg")
    listing = list_folder(tmp_path)
    assert (f"{folder}/rose/2.jpg", "rose", split) in rows(tmp_path)
    assert listing.classes[split] == {"rose", "tulip"}


def test_train_may_be_a_class_beside_bus_and_car(tmp_path: Path) -> None:
    lay(tmp_path, "train/1.jpg", "bus/2.jpg", "car/3.jpg")
    assert [label for _, label, _ in rows(tmp_path)] == ["bus", "car", "train"]


def test_what_lies_beside_splits_is_listed_and_told(tmp_path: Path) -> None:
    lay(tmp_path, "train/rose/1.jpg", "test/rose/2.jpg", "extra/3.jpg")
    listing = list_folder(tmp_path)
    assert [skipped.path for skipped in listing.misplaced] == ["extra/3.jpg"]
    assert listing.notes == ("beside the splits, and left out: extra (1 file)",)
    with pytest.raises(CorollaError, match=r"split folder train beside others \(extra\)"):
        list_folder(lay(tmp_path / "other", "train/rose/1.jpg", "extra/3.jpg"))


def test_an_unlabeled_test_folder_is_listed_and_not_used(tmp_path: Path) -> None:
    lay(tmp_path, "train/rose/1.jpg", "train/tulip/2.jpg", "test/3.jpg")
    listing = list_folder(tmp_path)
    assert set(listing.classes) == {"train"}
    assert [(skipped.path, skipped.reason) for skipped in listing.misplaced] == [
        ("test/3.jpg", "its split has no class folders, so it has no label")
    ]
    assert listing.unlabeled == (("test", tmp_path / "test"),)


def test_a_lone_folder_around_the_tree_is_looked_through(tmp_path: Path) -> None:
    lay(tmp_path, "data set/flowers/rose/1.jpg", "data set/flowers/tulip/2.jpg", "data set/README.txt")
    assert list_folder(tmp_path).root == tmp_path / "data set" / "flowers"
    lay(tmp_path / "other", "data/train/rose/1.jpg", "data/train/tulip/2.jpg")
    assert rows(tmp_path / "other")[0] == ("train/rose/1.jpg", "rose", "train")


def test_a_class_with_folders_inside_is_not_looked_through(tmp_path: Path) -> None:
    lay(tmp_path, "train/rose/1.jpg")
    assert rows(tmp_path) == [("train/rose/1.jpg", "rose", "train")]


def test_what_systems_leave_behind_is_no_class_and_no_image(tmp_path: Path) -> None:
    lay(tmp_path, "rose/1.jpg", "rose/.DS_Store", "rose/Thumbs.db", "rose/._1.jpg", "__MACOSX/rose/1.jpg")
    lay(tmp_path, ".git/x", ".ipynb_checkpoints/2.jpg", "rose/@eaDir/1.jpg", "rose/desktop.ini")
    listing = list_folder(tmp_path)
    assert rows(tmp_path) == [("rose/1.jpg", "rose", "")]
    assert (dict(listing.classes), listing.misplaced) == ({"": frozenset({"rose"})}, ())


def test_other_files_of_a_class_are_looked_at_and_loose_images_named(tmp_path: Path) -> None:
    lay(tmp_path, "rose/1.jpg", "rose/notes.txt", "tulip/2.jpg", "loose.JPG", "LICENSE.txt")
    assert ("rose/notes.txt", "rose", "") in rows(tmp_path)
    assert [skipped.path for skipped in list_folder(tmp_path).misplaced] == ["loose.JPG"]


def test_empty_class_folders_are_known(tmp_path: Path) -> None:
    lay(tmp_path, "rose/1.jpg")
    (tmp_path / "tulip").mkdir()
    assert list_folder(tmp_path).classes == {"": {"rose", "tulip"}}


def test_no_class_folders(tmp_path: Path) -> None:
    lay(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(CorollaError, match="no class folders"):
        list_folder(tmp_path)


def test_names_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    lay(tmp_path, "train/Rosé 玫瑰/ä b.jpg", f"test/{unicodedata.normalize('NFD', 'Rosé')} 玫瑰/ü.jpg")
    listing = list_folder(tmp_path)
    assert listing.classes["train"] == listing.classes["test"] == {"Rosé 玫瑰"}
    assert all((tmp_path / example.path).is_file() for example in listing.examples)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot be made here")
def test_names_that_are_no_text_are_listed(tmp_path: Path) -> None:
    lay(tmp_path, "rose/1.jpg")
    with open(os.fsencode(tmp_path) + b"/rose/\xff\xfe.jpg", "wb"):  # noqa: PTH123 - a name in bytes
        pass
    listing = list_folder(tmp_path)
    assert [example.path for example in listing.examples] == ["rose/1.jpg"]
    assert "UTF-8" in listing.misplaced[0].reason
    assert listing.misplaced[0].path.encode() == b"rose/\\udcff\\udcfe.jpg"


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    lay(tmp_path / "store", "1.jpg", "sub/2.jpg")
    lay(tmp_path / "data", "rose/0.jpg")
    link(tmp_path / "data" / "tulip", tmp_path / "store")
    link(tmp_path / "data" / "rose" / "linked.jpg", tmp_path / "store" / "1.jpg")
    assert [path for path, _, _ in rows(tmp_path / "data")] == [
        "rose/0.jpg",
        "rose/linked.jpg",
        "tulip/1.jpg",
        "tulip/sub/2.jpg",
    ]


def test_circles_of_links_end(tmp_path: Path) -> None:
    lay(tmp_path, "rose/1.jpg", "tulip/2.jpg")
    link(tmp_path / "rose" / "again", tmp_path / "rose")
    link(tmp_path / "tulip" / "up", tmp_path)
    link(tmp_path / "rose" / "broken.jpg", tmp_path / "gone.jpg")
    link(tmp_path / "rose" / "self", tmp_path / "rose" / "self")
    assert [path for path, _, _ in rows(tmp_path)] == [
        "rose/1.jpg",
        "rose/broken.jpg",
        "rose/self",
        "tulip/2.jpg",
    ]


def test_thousands_of_files(tmp_path: Path) -> None:
    for label in "abcde":
        (tmp_path / label).mkdir()
        for number in range(1000):
            (tmp_path / label / f"{number:04}.jpg").touch()
    listing = list_folder(tmp_path)
    assert len(listing.examples) == 5000
    assert list(listing.examples) == sorted(listing.examples, key=lambda example: example.path)
