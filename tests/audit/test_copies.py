"""Copies: exact and near ones, with the classes and splits they stand in."""

from pathlib import Path

from corolla.audit.copies import exact_copies, groups_across_splits, near_copies, tied
from corolla.audit.findings import AuditedImage, Copies
from corolla.audit.images import Look
from corolla.audit.run_audit import audit
from corolla.data.duplicates import FINGERPRINT_BYTES
from corolla.data.manifest import Example

LOOK = Look(100, 100, gray=False, blank=False, exif="")


def image(path: str, label: str = "a", split: str = "", sha256: str = "", group: str = "") -> AuditedImage:
    return AuditedImage(Example(path, label, split, group, sha256 or path), LOOK)


def names(sets: tuple[Copies, ...]) -> list[list[str]]:
    return [[image.path for image in copies.images] for copies in sets]


def prints(*numbers: int) -> list[bytes]:
    """The same number, nearly the same image."""
    return [bytes([17 * number + 5] * FINGERPRINT_BYTES) for number in numbers]


def test_the_same_bytes_are_exact_and_what_spoils_most_comes_first() -> None:
    images = [
        image("1", sha256="x"), image("2", sha256="x"), image("3", sha256="x"),
        image("4", sha256="y", split="train"), image("5", sha256="y", split="test"),
        image("6", "a", sha256="z"), image("7", "b", sha256="z"), image("8"),
    ]  # fmt: skip
    found = exact_copies(images)
    assert names(found) == [["6", "7"], ["4", "5"], ["1", "2", "3"]]
    assert [copies.labels for copies in found] == [("a", "b"), ("a",), ("a",)]
    assert [copies.splits for copies in found] == [(), ("train", "test"), ()]
    assert found[0].to_json() == {
        "paths": ["6", "7"], "labels": ["a", "b"], "splits": [], "across_classes": True, "across_splits": False,
    }  # fmt: skip


def test_near_ones_are_tied_and_a_set_of_the_same_bytes_alone_is_none() -> None:
    images = [
        image("1", sha256="x"),
        image("2", sha256="x"),
        image("3"),
        image("4"),
        image("5", sha256="x"),
    ]
    assert names(near_copies(images, prints(1, 1, 1, 2, 1))) == [["1", "2", "3", "5"]]
    assert near_copies(images[:2], prints(1, 1)) == ()


def test_a_users_group_is_no_photograph() -> None:
    images = [image("1", group="ann"), image("2", group="ann")]
    assert near_copies(images, prints(1, 2)) == ()


def test_ties_connect_what_is_left_of_a_set() -> None:
    images = [image(name) for name in "1234"]
    [near] = near_copies(images, prints(1, 1, 2, 1))
    assert tied([near], images) == [(0, 1), (1, 3)]
    assert tied([near], [images[3], images[0]]) == [(1, 0)]
    assert tied([near], images[2:3]) == []


def test_groups_in_more_than_one_split() -> None:
    images = [
        image("1", split="test", group="ann"), image("2", split="train", group="ann"),
        image("3", split="test", group="bob"), image("4", split="test", group="bob"), image("5", split="train"),
    ]  # fmt: skip
    assert groups_across_splits(images) == (("ann", ("train", "test")),)


def test_what_lies_in_a_folder(flawed: Path) -> None:
    found = audit(flawed)
    assert names(found.exact) == [["blue/also green.png", "green/00.png"], ["red/00.png", "red/copy of 00.png"]]
    assert names(found.near) == [["red/01.png", "red/smaller 01.jpg"]]


def test_what_lies_in_several_splits_and_what_the_table_leaves_out(split_table: Path) -> None:
    found = audit(split_table)
    assert [copies.labels for copies in found.exact] == [("blue", "green"), ("red",)]
    assert [copies.splits for copies in found.exact] == [("train",), ("train",)]
    assert [copies.splits for copies in found.near] == [("val",)]
    text = split_table.read_text(encoding="utf-8")
    split_table.write_text(text.replace("smaller 01.jpg,red,val", "smaller 01.jpg,red,test"), encoding="utf-8")
    assert [copies.splits for copies in audit(split_table).near] == [("val", "test")]
