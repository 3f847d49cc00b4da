import csv
import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.data.tables import is_table, read_table
from corolla.data.vocabulary import LABEL_NAMES
from corolla.errors import CorollaError
from corolla.inputs.tables import PATH_NAMES


def table(folder: Path, text: str, name: str = "data.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def rows(path: Path) -> list[tuple[str, str, str, str]]:
    return [(e.path, e.label, e.split, e.group) for e in read_table(path).examples]


def test_path_and_label(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\nb/2.jpg,tulip\na/1.jpg,rose\n")
    assert rows(path) == [("a/1.jpg", "rose", "", ""), ("b/2.jpg", "tulip", "", "")]
    assert read_table(path).root == tmp_path
    assert read_table(path).classes == {"": {"rose", "tulip"}}


@pytest.mark.parametrize("path_name", PATH_NAMES)
@pytest.mark.parametrize("label_name", LABEL_NAMES)
def test_usual_column_names_in_any_case_and_order(tmp_path: Path, path_name: str, label_name: str) -> None:
    path = table(tmp_path, f"number, {label_name.upper()} ,{path_name.title()}\n7,rose,a.jpg\n")
    assert rows(path) == [("a.jpg", "rose", "", "")]


@pytest.mark.parametrize(("name", "separator"), [("d.csv", ","), ("d.csv", ";"), ("d.csv", "\t"), ("d.tsv", "\t")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_spreadsheets_write(tmp_path: Path, name: str, separator: str, encoding: str, line_end: str) -> None:
    lines = (
        separator.join(("path", "label", "split")),
        separator.join(("ä b/1.jpg", '"Rosé, rot"', "Valid")),
        "",
    )
    path = table(tmp_path, line_end.join(lines) + line_end, name, encoding)
    assert rows(path) == [("ä b/1.jpg", "Rosé, rot", "val", "")]


def test_split_and_group_and_nothing_else_is_a_group(tmp_path: Path) -> None:
    header = "path,label,photographer,duplicate_group,split,Group\n"
    path = table(tmp_path, header + "1.jpg,rose,ann,7,TRAIN,g1\n2.jpg,rose,ann,7,validation,\n3.jpg,rose,,,test,g2\n")
    assert rows(path) == [
        ("1.jpg", "rose", "train", "g1"),
        ("2.jpg", "rose", "val", ""),
        ("3.jpg", "rose", "test", "g2"),
    ]


def test_rows_without_a_split_are_left_out_if_others_have_one(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,split,note\n1.jpg,rose,train,\n2.jpg,rose,,blurred\n3.jpg,rose,,\n")
    listing = read_table(path)
    assert [e.path for e in listing.examples] == ["1.jpg"]
    assert [(s.path, s.reason) for s in listing.left_out] == [
        ("2.jpg", "left out by the table: blurred"),
        ("3.jpg", "left out by the table"),
    ]
    assert listing.misplaced == ()


def test_an_empty_split_column_is_no_split(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,split,note\n1.jpg,rose,,x\n2.jpg,tulip,,\n")
    assert [e.path for e in read_table(path).examples] == ["1.jpg", "2.jpg"]


def test_rows_that_lack_something_are_listed(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\n,rose\n2.jpg,\n\n3.jpg\n4.jpg,rose\n")
    listing = read_table(path)
    assert [e.path for e in listing.examples] == ["4.jpg"]
    assert [(s.path, s.reason) for s in listing.misplaced] == [
        ("row 1 of data.csv", "the row has no path"),
        ("2.jpg", "the row has no label"),
        ("3.jpg", "the row has no label"),
    ]


def test_a_row_twice_counts_once(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "path,label\n1.jpg,rose\n./1.jpg,rose\n")) == [("1.jpg", "rose", "", "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n1.jpg,rose\n1.jpg,tulip\n", r"row 2: 1.jpg is listed twice, as 'rose' and as 'tulip'"),
        ("path,label,split\n1.jpg,rose,train\n1.jpg,rose,test\n", r"'rose' in train and as 'rose' in test"),
        ("path,label,split\n1.jpg,rose,fold3\n", r"row 1: unknown split 'fold3'"),
        ("path,kind\n1.jpg,rose\n", r"no label column.*has path, kind"),
        ("number,label\n1,rose\n", r"no path column.*has number, label"),
        ("path,label\n", r"no rows"),
        ("", r"no path column.*has none"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(CorollaError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-16", "cp1252"):
        with pytest.raises(CorollaError, match="UTF-8"):
            read_table(table(tmp_path, "path,label\né.jpg,rosé\n", encoding=encoding))


def test_absolute_paths_and_paths_above_are_the_users_right(tmp_path: Path) -> None:
    absolute = (tmp_path / "x" / "1.jpg").as_posix()
    path = table(tmp_path, f"path,label\n{absolute},rose\n../2.jpg,rose\n")
    assert sorted(p for p, _, _, _ in rows(path)) == ["../2.jpg", "x/1.jpg"]
    elsewhere = (tmp_path.parent / "2.jpg").as_posix()
    assert rows(table(tmp_path, f"path,label\n{elsewhere},rose\n"))[0][0] == elsewhere


def test_paths_written_on_windows(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "path,label\nrose\\sub\\1.jpg,rose\n"))[0][0] == "rose/sub/1.jpg"


@pytest.mark.skipif(sys.platform == "win32", reason="a backslash separates folders there")
def test_a_backslash_that_is_really_in_the_name(tmp_path: Path) -> None:
    (tmp_path / "a\\b.jpg").touch()
    assert rows(table(tmp_path, "path,label\na\\b.jpg,rose\n"))[0][0] == "a\\b.jpg"


texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)


@given(st.dictionaries(texts.map(lambda t: f"d/{t}.jpg".replace("\\", "_")), texts, min_size=1, max_size=20))
def test_any_csv_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, labels: dict[str, str]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("path", "label"), *labels.items()])
    listing = read_table(table(tmp_path_factory.mktemp("csv"), text.getvalue()))
    assert {e.path for e in listing.examples} == {p.replace("//", "/") for p in labels}
    assert len(listing.examples) == len(labels)


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "data.parquet"
    columns = {"image": ["1.jpg", "2.jpg", "3.jpg"], "class": [0, 1, None], "split": ["train", "val", "test"]}
    pq.write_table(pa.table({**columns, "features": [[1.0], [2.0], [3.0]]}), path)
    assert rows(path) == [("1.jpg", "0", "train", ""), ("2.jpg", "1", "val", "")]
    assert [s.reason for s in read_table(path).misplaced] == ["the row has no label"]
    assert is_table(path)

    pq.write_table(pa.table({"image": [{"bytes": b"x"}], "label": ["rose"]}), path)
    with pytest.raises(CorollaError, match=r"'image' holds struct.*not text"):
        read_table(path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(CorollaError, match="cannot read") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CorollaError, match=r"pip install 'corolla\[parquet\]'"):
        read_table(tmp_path / "data.parquet")


def test_is_table(tmp_path: Path) -> None:
    assert is_table(table(tmp_path, "path,label\n"))
    assert not is_table(table(tmp_path, "name,license\n"))
    assert not is_table(tmp_path / "gone.csv")
