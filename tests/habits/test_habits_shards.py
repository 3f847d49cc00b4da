"""Tars as people pack them, and the reading that they mean."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.data.manifest import Manifest, Skipped, lines_of
from corolla.data.shards import samples
from corolla.data.shards.tars import APART, NO_CLASS, NO_IMAGE
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.evaluation.evaluate import read_labeled
from corolla.run import find_run

Members = list[tuple[str, bytes]]
CLASSES = ("rose", "tulip")


def photo(seed: int) -> bytes:
    """A small image as the bytes of its file, a different one for every seed."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((20, 16)).save(buffer, "PNG")
    return buffer.getvalue()


def pair(name: str, seed: int, image: str = ".png", label: str = ".cls") -> Members:
    """An image and its class."""
    return [(name + image, photo(seed)), (name + label, CLASSES[seed % 2].encode())]


def good(count: int = 12, first: int = 0) -> Members:
    """Samples without any fault."""
    return [member for n in range(first, first + count) for member in pair(f"{n:03}", n)]


def pack(path: Path, members: Members, links: Sequence[str] = ()) -> Path:
    """A tar of members in their order, and of links to nowhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "elsewhere.png"
            tar.addfile(member)
    return path


def in_all(manifest: Manifest) -> int:
    """Every image that the manifest has, wherever it lies."""
    return sum(manifest.size(split) for split in ("train", "val", "test"))


# What people pack -> how many samples that gives, and what is said of the rest.
GALLERY: dict[str, tuple[Members, int, list[tuple[str, str]]]] = {
    "names with dots": ([m for n in range(12) for m in pair(f"trip.2019.{n:02}", n)], 12, []),
    "names with dots, images first": (
        sorted([m for n in range(12) for m in pair(f"trip.{n:02}", n)], key=lambda member: member[0][-3:] == "cls"),
        12,
        [],
    ),
    "an ending kept before the label's": (
        [m for n in range(12) for m in pair(f"{n:02}", n, ".png", ".png.cls")],
        12,
        [],
    ),
    "one image under a name of its own": ([m for n in range(12) for m in pair(f"{n:02}", n, ".photo.png")], 12, []),
    "other parts of a sample": ([*good(), ("011.mask.png", photo(99)), ("011.depth.npy", b"x")], 12, []),
    "no class": (
        [*good(), ("a/x.jpg", b"1"), ("y.PNG", b"2"), ("y.npy", b"3")],
        12,
        [("a/x", NO_CLASS), ("y", NO_CLASS)],
    ),
    "no image": (
        [*good(), ("x.heic", b"1"), ("x.cls", b"rose"), ("y.cls", b"rose")],
        12,
        [("x", f"{NO_IMAGE} (only heic)"), ("y", NO_IMAGE)],
    ),
    "texts that are no samples": ([*good(), ("README.txt", b"hello"), ("LICENSE", b"x"), ("a.json", b"{}")], 12, []),
    "parts that lie apart": (
        [*good(), ("p.jpg", b"1"), ("q.jpg", b"2"), ("p.cls", b"rose"), ("q.txt", b"rose"), *pair("r", 50)],
        13,
        [("p", APART), ("q", APART)],
    ),
    "a class that says nothing": (
        [*good(), ("x.jpg", b"1"), ("x.cls", b"  "), ("y.jpg", b"1"), ("y.json", b'{"caption": "a rose"}'),
         ("z.jpg", b"1"), ("z.cls", b"n" * 1001)],
        12,
        [("x", "its cls names no class"), ("y", "its json names no class"), ("z", samples.TOO_LONG)],
    ),
    "several images and one class": (
        [*good(), ("s.left.jpg", b"1"), ("s.right.jpg", b"2"), ("s.cls", b"rose")],
        12,
        [("s", "its class is beside 2 images, none of which is named s.jpg")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("habit", GALLERY)
def test_tars(habit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    members, count, told = GALLERY[habit]
    file = pack(tmp_path / "shards" / "0.tar", members)
    for _ in range(2):  # the second time as it is remembered
        manifest = load_data(file)
        assert in_all(manifest) == count
        assert manifest.classes == CLASSES
        left = [s for s in manifest.skipped if s.path.startswith("0.tar: ")]
        assert sorted((s.path.removeprefix("0.tar: "), s.reason) for s in left) == sorted(told)


def test_links_in_a_tar_are_named(tmp_path: Path) -> None:
    file = pack(tmp_path / "0.tar", [*good(), ("x.cls", b"rose")], links=["x.png", "y.png"])
    manifest = load_data(file)
    assert [(s.path, s.reason) for s in manifest.skipped] == [
        ("0.tar: x", "its png is a link or not a file"),
        ("0.tar: y", "its png is a link or not a file"),
    ]


def test_many_of_one_kind_are_one_line_that_counts_them(tmp_path: Path) -> None:
    file = pack(tmp_path / "0.tar", [*good(), *((f"n{n:03}.jpg", b"1") for n in range(45))])
    skipped = load_data(file).skipped
    assert [(s.path, s.count) for s in skipped] == [("0.tar", 45)]
    assert skipped[0].reason == f"45 samples, the first of them n000: {NO_CLASS}"
    assert Skipped.from_json(skipped[0].to_json()) == skipped[0]
    assert [*lines_of([Skipped("a", "b")] * 10 + [*skipped], "listed there")][10:] == [
        "  skipped 45 more, listed there"
    ]
    with pytest.raises(CorollaError, match=r"cannot use 0\.tar: 45 samples"):
        load_data(file, strict=True)


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"image": {"bytes": photo(n), "path": None}, "label": n % 2} for n in range(12)]
    rows += [{"image": {"bytes": photo(20), "path": None}, "label": -1}, {"image": {"bytes": b"", "path": None}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "0.parquet")
    manifest = load_data(tmp_path / "0.parquet")
    assert in_all(manifest) == 12
    assert [(s.path, s.reason) for s in manifest.skipped] == [
        ("0.parquet: row 12 of row group 0", "its label is -1, which means no label"),
        ("0.parquet: row 13 of row group 0", "it has no label"),
    ]


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["contest-test-animals"], {"train", "val", "test"}),  # a word in the name of a lone file is no split
        (["contest-test-animals-0", "contest-test-animals-1"], {"train", "val", "test"}),
        (["my-train-set"], {"train", "val", "test"}),
        (["a-test-0", "a-train-0"], {"train", "val", "test"}),
        (["test"], None),  # a file that is called so and nothing else is a split, and nothing to train on
        (["val-00000-of-00002", "val-00001-of-00002"], None),
    ],
)
def test_split_words_in_names(names: list[str], sizes: set[str] | None, tmp_path: Path) -> None:
    for number, name in enumerate(names):
        pack(tmp_path / "s" / f"{name}.tar", good(12, 100 * number))
    if sizes is None:
        with pytest.raises(CorollaError, match="nothing to train on"):
            load_data(tmp_path / "s")
        return
    manifest = load_data(tmp_path / "s")
    assert {split for split in ("train", "val", "test") if manifest.size(split)} == sizes
    assert in_all(manifest) == 12 * len(names)
    if names[0] == "a-test-0":
        assert manifest.size("test") == 12


@pytest.mark.parametrize("name", ["contest-test-animals", "new"])
def test_a_tar_without_a_split_is_measured_whole(name: str, tmp_path: Path) -> None:
    manifest = read_labeled(pack(tmp_path / f"{name}.tar", [*good(30), ("x.jpg", b"1")]), None)
    assert len(manifest.examples) == 30
    assert {example.split for example in manifest.examples} == {""}
    assert [s.path for s in manifest.skipped] == [f"{name}.tar: x"]


def test_evaluate_says_what_it_leaves_out(tmp_path: Path) -> None:
    known = find_run("flowers").check().classes
    members = [m for n in range(6) for m in ((f"{n}.png", photo(n)), (f"{n}.cls", known[n % len(known)].encode()))]
    file = pack(tmp_path / "new-test-data.tar", [*members, ("x.png", photo(9))])
    line = [sys.executable, "-m", "corolla", "evaluate", "flowers", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"skipped new-test-data.tar: x: {NO_CLASS}" in done.stderr
    assert "6 images" in done.stdout


def test_a_tar_of_class_folders_says_what_to_do(tmp_path: Path) -> None:
    file = pack(tmp_path / "photos.tar", [(f"{label}/{n}.png", photo(n)) for label in CLASSES for n in range(3)])
    with pytest.raises(CorollaError) as caught:
        load_data(file)
    assert "\n" not in str(caught.value)
    assert f"the first of 6 left out is photos.tar: rose/0: {NO_CLASS}" in str(caught.value)
    assert str(caught.value).endswith("if the folders in it are the classes, unpack it and give the folder")
