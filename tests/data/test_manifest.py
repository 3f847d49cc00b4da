"""The manifest: its columns, its classes and the way to disk and back."""

from pathlib import Path

import pytest

from corolla.data.manifest import Example, Manifest
from corolla.errors import CorollaError

EXAMPLES = (
    Example("b/1.jpg", "tulip", "train", "anna", "0a"),
    Example("b/2.jpg", "rose", "train", "", "0b"),
    Example('b/a "comma",.jpg', "rose", "val", "", "0c"),
    Example("b/4.jpg", "daisy", "test", "", "0d"),
)


def test_class_numbers_follow_the_sorted_names_whatever_the_split_holds(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, EXAMPLES)
    assert manifest.classes == ("daisy", "rose", "tulip")
    assert manifest.labels("train") == [2, 1]
    assert manifest.labels("test") == [0]
    assert manifest.counts("train") == {"daisy": 0, "rose": 1, "tulip": 1}


def test_a_manifest_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, EXAMPLES)
    manifest.save(tmp_path / "manifest.csv")
    again = Manifest.load(tmp_path / "manifest.csv", tmp_path)
    assert again == manifest
    assert again.digest == manifest.digest


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no manifest at"), (b"path,label\nx,y\n", "its columns should be"), (b"\xff\xfe\x00", "cannot read")],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "manifest.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CorollaError, match=said) as raised:
        Manifest.load(file, tmp_path)
    assert "\n" not in str(raised.value)
