"""Tables as people have them, and what is read from each: classes by split, or the reason why nothing is."""

import json
from pathlib import Path

import pytest

from corolla.data.reading import read_path
from corolla.data.sources import list_source
from corolla.errors import CorollaError
from laying import Reading, lay, reading

PARTS = {"part_1/i1.jpg": "", "part_1/i2.jpg": "", "part_2/i3.jpg": ""}

# By a name: the files there are with their text ("" for an image), the one that is given ("" for the folder), what is
# read for which split, and words of what is said of it.
READ: dict[str, tuple[dict[str, str], str, Reading, list[str]]] = {
    "no header, commas": (
        {"t.txt": "a/1.jpg, cat\na/2.jpg, dog\n", "a/1.jpg": "", "a/2.jpg": ""}, "t.txt",
        {"": {"cat": 1, "dog": 1}}, ["without a header line", "column 1", "column 2"],
    ),
    "no header, spaces also in a path": (
        {"t.txt": "a b/1.jpg 0\na b/2.JPG 1\n", "a b/1.jpg": "", "a b/2.JPG": ""}, "t.txt",
        {"": {"0": 1, "1": 1}}, ["numbers", "names.txt"],
    ),
    "no header, tabs, label first": (
        {"t.tsv": "cat\ta/1.jpg\ndog\ta/2.jpg\n", "a/1.jpg": "", "a/2.jpg": ""}, "t.tsv",
        {"": {"cat": 1, "dog": 1}}, ["column 2 is the path", "column 1 is the label"],
    ),
    "no header, a split among three": (
        {"t.csv": "1.jpg,train,cat\n2.jpg,test,dog\n3.jpg,train,dog\n", "1.jpg": "", "2.jpg": "", "3.jpg": ""}, "t.csv",
        {"train": {"cat": 1, "dog": 1}, "test": {"dog": 1}}, ["column 2 is the split"],
    ),
    "three columns of a grocery store, with names": (
        {"train.txt": "train/Fruit/1.jpg, 0, 7\ntrain/Milk/2.jpg, 1, 8\n", "val.txt": "val/Fruit/3.jpg, 0, 7\n",
         "classes.csv": "Class Name (str),Class ID (int),Coarse Name,Coarse ID\nApple,0,Fruit,7\nMilk,1,Drink,7\n",
         "train/Fruit/1.jpg": "", "train/Milk/2.jpg": "", "val/Fruit/3.jpg": ""}, "train.txt",
        {"": {"Apple": 1, "Milk": 1}}, ["classes.csv", "0 is Apple", "column 3 not used", "val.txt beside it not used"],
    ),
    "a table for each split": (
        {"train.txt": "all/1.jpg 0\nall/2.jpg 1\n", "val.txt": "all/3.jpg 1\n", "test.txt": "all/4.jpg 1\n",
         "names.txt": "cat\ndog\n", **{f"all/{n}.jpg": "" for n in range(1, 5)}}, "",
        {"train": {"cat": 1, "dog": 1}, "val": {"dog": 1}, "test": {"dog": 1}}, ["train.txt, val.txt, test.txt"],
    ),
    "numbers from 1": (
        {"t.csv": "path,label\n1.jpg,1\n2.jpg,2\n", "classes.txt": "cat\ndog\n", "1.jpg": "", "2.jpg": ""}, "t.csv",
        {"": {"cat": 1, "dog": 1}}, ["1 is cat"],
    ),
    "numbers that may be counted from 0 or 1": (
        {"t.csv": "path,label\n1.jpg,1\n2.jpg,2\n", "classes.txt": "a\nb\nc\n", "1.jpg": "", "2.jpg": ""}, "t.csv",
        {"": {"1": 1, "2": 1}}, ["classes.txt can be read in two ways"],
    ),
    "numbers and a JSON of names": (
        {"t.csv": "image_id,label\n1.jpg,0\n2.jpg,1\n", "1.jpg": "", "2.jpg": "",
         "label_num_to_disease_map.json": json.dumps({"0": "x", "1": "y"})}, "t.csv",
        {"": {"x": 1, "y": 1}}, ["0 is x"],
    ),
    "ids beside part folders": (
        {"HAM_metadata.csv": "lesion_id,image_id,dx\nl1,i1,nv\nl2,i2,mel\nl2,i3,mel\n", **PARTS}, "",
        {"": {"nv": 1, "mel": 2}}, ["i1 is part_1/i1.jpg", "not the folders part_1, part_2", "column to group"],
    ),
    "the table of part folders itself": (
        {"meta.csv": "image_id,dx\ni1,nv\ni2,mel\ni3,mel\n", **PARTS}, "meta.csv",
        {"": {"nv": 1, "mel": 2}}, ["found by their names"],
    ),
    "a table that says what the folders say": (
        {"list.csv": "path,label\ncat/1.jpg,cat\ndog/2.jpg,dog\n", "cat/1.jpg": "", "dog/2.jpg": ""}, "",
        {"": {"cat": 1, "dog": 1}}, ["list.csv beside the class folders not used"],
    ),
    "lists of paths without labels or endings": (
        {"train.txt": "pie/1\ncake/2\n", "test.txt": "cake/3\n", "images/pie/1.jpg": "", "images/cake/2.jpg": "",
         "images/cake/3.jpg": ""}, "train.txt",
        {"": {"pie": 1, "cake": 1}}, ["the folder of each image is its class", "pie/1 is images/pie/1.jpg"],
    ),
    "wrapped": (
        {"zip/t.csv": "path,label\nimg/1.jpg,cat\nimg/2.jpg,dog\n", "zip/img/1.jpg": "", "zip/img/2.jpg": ""}, "",
        {"": {"cat": 1, "dog": 1}}, [],
    ),
    "paths of another computer": (
        {"t.csv": "path,label\nC:\\Users\\me\\set\\cat\\1.jpg,cat\n/content/set/dog/1.jpg,dog\nset/dog/2.jpg,dog\n",
         "cat/1.jpg": "", "dog/1.jpg": "", "dog/2.jpg": ""}, "t.csv",
        {"": {"cat": 1, "dog": 2}}, ["found by their names: C:/Users/me/set/cat/1.jpg is cat/1.jpg"],
    ),
    "paths from the folder above": (
        {"t.csv": "path,label\nset/a/cat/1.jpg,cat\nset/b/cat/1.jpg,dog\n", "a/cat/1.jpg": "", "b/cat/1.jpg": ""},
        "t.csv", {"": {"cat": 1, "dog": 1}}, ["set/a/cat/1.jpg is a/cat/1.jpg"],
    ),
    "one file in two spellings": (
        {"t.csv": "path,label\nx/../1.jpg,cat\n./1.jpg,cat\n2.jpg,dog\n", "1.jpg": "", "2.jpg": "", "x/3.jpg": ""},
        "t.csv", {"": {"cat": 1, "dog": 1}}, [],
    ),
}  # fmt: skip
# And those that are refused, with words of the reason and of what to do.
REFUSED: dict[str, tuple[dict[str, str], str, list[str]]] = {
    "prose": ({"readme.txt": "These are flowers.\nEnjoy.\n"}, "readme.txt", ["no path column"]),
    "one file in two spellings, two labels": (
        {"t.csv": "path,label\nx/../1.jpg,cat\n1.jpg,dog\n", "1.jpg": "", "x/3.jpg": ""}, "t.csv",
        ["row 2", "1.jpg is listed twice", "'cat'", "'dog'"],
    ),
    "one file in two groups": (
        {"t.csv": "path,label,group\n1.jpg,cat,ann\n1.jpg,cat,bob\n", "1.jpg": ""}, "t.csv",
        ["row 2", "'ann'", "'bob'", "one group"],
    ),
    "folders and a table that disagree": (
        {"list.csv": "path,label\ncat/1.jpg,dog\ndog/2.jpg,mouse\n", "cat/1.jpg": "", "dog/2.jpg": ""}, "",
        ["have different classes", "list.csv", "give"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("habit", READ)
def test_a_table_is_read_as_its_owner_means_it(habit: str, tmp_path: Path) -> None:
    files, given, expected, words = READ[habit]
    listing = read_path(lay(tmp_path, files) / given)
    assert reading(listing) == expected
    assert all((listing.root / example.path).is_file() for example in listing.examples)
    said = "\n".join(listing.notes)
    assert all(word in said for word in words), said
    assert not words or len(listing.notes) < 5


@pytest.mark.parametrize("habit", REFUSED)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(habit: str, tmp_path: Path) -> None:
    files, given, words = REFUSED[habit]
    with pytest.raises(CorollaError) as caught:
        read_path(lay(tmp_path, files) / given)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_row_with_more_cells_than_the_header_is_named(tmp_path: Path) -> None:
    lay(tmp_path, {"t.csv": "path,label\n1.jpg,cat\n2,b.jpg,dog\n3.jpg,dog,\n"})
    listing = read_path(tmp_path / "t.csv")
    assert reading(listing) == {"": {"cat": 1, "dog": 1}}
    assert [(s.path, s.reason) for s in listing.misplaced] == [
        ("row 2 of t.csv", "the row has 3 cells and the header 2")
    ]


def test_paths_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "path,label\nimages/1.jpg,cat\nimages/2.jpg,dog\n"
    lay(tmp_path, {"lists/t.csv": text, "images/1.jpg": "", "images/2.jpg": ""})
    monkeypatch.chdir(tmp_path)
    listing = read_path(tmp_path / "lists" / "t.csv")
    assert {listing.root / e.path for e in listing.examples} == {tmp_path / "images/1.jpg", tmp_path / "images/2.jpg"}
    assert "relative to the current folder" in listing.notes[0]


def test_an_id_that_several_files_may_have_is_named(tmp_path: Path) -> None:
    text = "id,label\n1,cat\n2,dog\n3,dog\n"
    lay(tmp_path, {"t.csv": text, "a/1.jpg": "", "b/1.jpg": "", "a/2.jpg": "", "a/3.png": ""})
    listing = read_path(tmp_path / "t.csv")
    assert {e.path for e in listing.examples} == {"a/2.jpg", "a/3.png"}
    [lost] = listing.misplaced
    assert "several files match: a/1.jpg, b/1.jpg (row 1 of t.csv)" in lost.reason


@pytest.mark.parametrize("name", ["photos.tar.gz", "photos.7z"])
def test_a_packed_folder_is_to_be_unpacked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CorollaError, match="unpack it and give the folder"):
        list_source(tmp_path / name)
