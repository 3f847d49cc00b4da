"""Wherever images lie they become the same rows, and no source can do harm."""

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.batch_inference.job import write_list
from corolla.errors import CorollaError
from corolla.inputs import remote
from corolla.inputs.items import MAX_BYTES, Item, items_of
from storage import Storage, serving


def answers(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["label"], row["probability"], row["error"]) for row in rows]


@pytest.fixture
def some(tmp_path: Path, png: Callable[[int], bytes]) -> Path:
    """A folder with two images and one more below, among noise."""
    folder = tmp_path / "some"
    for number, name in enumerate(("b.png", "a é.png", "below/c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(number))
    (folder / ".hidden").write_text("x")
    return folder


@pytest.fixture
def storage() -> Iterator[tuple[type[Storage], str]]:
    with serving() as (held, address):
        yield held, address


@pytest.mark.parametrize("kind", ["csv", "tsv", "semicolon", "parquet"])
def test_a_table_of_paths_is_told_by_its_own_words(kind: str, some: Path, rows: Callable, tmp_path: Path) -> None:
    paths = ["some/b.png", str(some / "a é.png"), "some\\below\\c.png", "gone.png"]
    table = tmp_path / f"list.{'parquet' if kind == 'parquet' else 'tsv' if kind == 'tsv' else 'csv'}"
    if kind == "parquet":
        pq.write_table(pa.table({"number": [1, 2, 3, 4], "File_Name": paths}), table)
    else:
        between = {"csv": ",", "tsv": "\t", "semicolon": ";"}[kind]
        lines = [f"{number}{between}{path}" for number, path in enumerate(paths)]
        table.write_text("\n".join([f"number{between}File_Name", *lines]), encoding="utf-8-sig")
    made = rows(table)
    assert [row["path"] for row in made] == paths
    assert [row["error"] for row in made] == [None, None, None, "no such file"]


def test_shards_give_the_rows_of_their_images(
    some: Path, rows: Callable, tar: Callable, png: Callable, tmp_path: Path
) -> None:
    content = {f"{number:03}.{ending}": png(number) for number in range(40) for ending in ("png", "cls")}
    (tmp_path / "s").mkdir()
    tar(tmp_path / "s" / "b.tar", content)
    tar(
        tmp_path / "s" / "a.tar",
        {"x/1.PNG": png(1), "x/2.png": b"a letter", "x/": b"", "x/.hid.png": b"", "3.jpg": b""},
    )
    made = rows(tmp_path / "s")
    a, b = tmp_path / "s" / "a.tar", tmp_path / "s" / "b.tar"
    assert [row["path"] for row in made][:4] == [f"{a}/x/1.PNG", f"{a}/x/2.png", f"{a}/3.jpg", f"{b}/000.png"]
    assert [row["error"] for row in made[:3]] == [
        None,
        "not an image in a known format",
        "the file is empty (0 bytes)",
    ]
    assert len(made) == 43
    direct = rows(some / "a é.png", out=tmp_path / "direct.parquet")  # the image of number 1
    assert made[0]["label"] == direct[0]["label"]
    assert made[0]["probability"] == pytest.approx(direct[0]["probability"], abs=1e-6)


def test_a_hostile_shard_is_read_as_far_as_it_is_one(tmp_path: Path, png: Callable, rows: Callable) -> None:
    file = tmp_path / "h.tar"
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name, size in (("../../up.png", None), ("/etc/absolute.png", None), ("huge.png", MAX_BYTES + 1)):
            info = tarfile.TarInfo(name)
            content = png(1) if size is None else b"\0" * size
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    made = rows(file)
    said = "it is not a regular file, and links are not followed"
    assert [row["error"] for row in made[:5]] == [said, said, said, None, None]
    assert [row["path"] for row in made[3:5]] == [f"{file}/../../up.png", f"{file}//etc/absolute.png"]
    assert "MB, more than 64 MB are not read" in made[5]["error"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.tar", "rows.parquet"]


def test_a_shard_that_is_cut_off_keeps_what_was_before(
    tmp_path: Path, tar: Callable, png: Callable, rows: Callable
) -> None:
    tar(tmp_path / "x.tar", {f"{number}.png": png(number) for number in range(4)})
    content = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(content[:3000])
    made = rows(tmp_path / "x.tar")
    assert [row["error"] is None for row in made[:1]] == [True]
    assert "damaged" in made[-1]["error"] or "truncated" in made[-1]["error"]


def test_what_lies_in_memory_is_answered_as_what_lies_on_the_disk(
    some: Path, rows: Callable, tar: Callable, png: Callable, tmp_path: Path
) -> None:
    held = fsspec.filesystem("memory")
    shard = io.BytesIO()
    tar(shard, {"1.png": png(1), "2.json": b"{}"})
    files = {"p/b.png": png(0), "p/a é.png": png(1), "p/below/c.png": png(2), "p/s.tar": shard.getvalue(), "p/.x": b""}
    files["list.csv"] = b"path\np/b.png\nmemory://p/below/c.png\np/gone.png\n"
    for name, content in files.items():
        held.pipe_file(f"/{name}", content)
    made = rows("memory://p", out=tmp_path / "1.parquet")
    told = ["a é.png", "b.png", "s.tar/1.png", "below/c.png"]
    assert [row["path"].replace("memory:///", "memory://") for row in made] == [f"memory://p/{name}" for name in told]
    disk = rows(some / "a é.png", some / "b.png", some / "a é.png", some / "below", out=tmp_path / "2.parquet")
    assert answers(made) == answers(disk)
    made = rows("memory://list.csv", out=tmp_path / "3.parquet")
    assert [row["path"] for row in made] == ["p/b.png", "memory://p/below/c.png", "p/gone.png"]
    assert [row["error"] for row in made] == [None, None, "no such file"]
    assert len(rows("memory://p/*.png", out=tmp_path / "4.parquet")) == 2
    held.rm("/p", recursive=True)
    with pytest.raises(CorollaError, match="there is no memory://p"):
        rows("memory://p", out=tmp_path / "5.parquet")


def test_a_server_of_the_web_is_read(
    storage: tuple[type[Storage], str], some: Path, rows: Callable, tar: Callable, png: Callable, tmp_path: Path
) -> None:
    held, address = storage
    shard = io.BytesIO()
    tar(shard, {"1.png": png(1), "0.png": png(0)})
    held.files.update({"/p/b.png": png(0), "/p/a.png": png(1), "/p/s.tar": shard.getvalue(), "/p/busy.png": png(2)})
    held.failing["/p/busy.png"] = 1
    made = rows(f"{address}/p/b.png", f"{address}/p/gone.png", f"{address}/p/s.tar", f"{address}/p/busy.png")
    assert [row["error"] for row in made] == [None, "the server answers 404", None, None, None]
    assert [row["path"] for row in made[2:4]] == [f"{address}/p/s.tar/1.png", f"{address}/p/s.tar/0.png"]
    first = rows(some / "b.png", out=tmp_path / "2.parquet")[0]
    assert made[0]["probability"] == pytest.approx(first["probability"], abs=1e-6)
    listed = [item.name for item in items_of(f"{address}/p/")]
    assert listed == [f"{address}/p/{name}" for name in ("a.png", "b.png", "busy.png", "s.tar/1.png", "s.tar/0.png")]


def test_a_server_that_gives_too_much_or_nothing_is_a_row_with_an_error(
    storage: tuple[type[Storage], str], rows: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, address = storage
    held.files["/huge.png"] = b"x" * 3_000_000
    held.files["/small.png"] = b""
    monkeypatch.setattr("corolla.inputs.items.MAX_BYTES", 1_000_000)
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    huge, silent, empty = rows(f"{address}/huge.png", f"{address}/silent.png", f"{address}/small.png")
    assert "more than 1 MB" in huge["error"]
    assert silent["error"] == "the server does not answer in time"
    held.failing["/small.png"] = 1000
    [busy] = rows(f"{address}/small.png", out=tmp_path / "busy.parquet")
    assert busy["error"] == "the server answers 503"
    assert empty["error"] == "the file is empty (0 bytes)"


@pytest.mark.skipif(find_spec("s3fs") is None, reason="s3fs is not installed: pip install 'corolla[s3]'")
def test_a_bucket_is_read(
    storage: tuple[type[Storage], str],
    rows: Callable,
    tar: Callable,
    png: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, address = storage
    shard = io.BytesIO()
    tar(shard, {"1.png": png(1)})
    held.files.update({"/box/p/b.png": png(0), "/box/p/a é.png": png(1), "/box/p/below/s.tar": shard.getvalue()})
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", address),
    ):
        monkeypatch.setenv(name, value)
    made = rows("s3://box/p", out=tmp_path / "1.parquet")
    assert [row["path"] for row in made] == ["s3://box/p/a é.png", "s3://box/p/b.png", "s3://box/p/below/s.tar/1.png"]
    assert [row["error"] for row in made] == [None] * 3
    assert len(rows("s3://box/p/*.png", out=tmp_path / "2.parquet")) == 2
    assert len(rows("s3://box/p/b.png", out=tmp_path / "3.parquet")) == 1
    with pytest.raises(CorollaError, match="there is no s3://box/q"):
        rows("s3://box/q", out=tmp_path / "4.parquet")
    monkeypatch.setattr(held, "login", "another key")
    with pytest.raises(CorollaError, match="the login was refused"):
        rows("s3://box/p", out=tmp_path / "4.parquet")


@pytest.mark.skipif(os.name != "posix", reason="file names are Unicode here")
def test_a_name_that_is_no_text_is_read_and_shown(some: Path, png: Callable, rows: Callable) -> None:
    file = os.fsencode(some) + b"/\xff.png"
    try:
        with open(file, "wb") as target:  # noqa: PTH123 - a Path cannot be bytes
            target.write(png(3))
    except OSError:
        pytest.skip("the file system takes valid names only")
    made = rows(some)
    assert [row["error"] for row in made] == [None] * 4
    assert any("\\udcff.png" in row["path"] for row in made)


@given(st.lists(st.tuples(st.text(), st.integers(0, 2**50), st.integers(-1, 2**50)), max_size=70))
def test_the_list_keeps_every_row(tmp_path_factory: pytest.TempPathFactory, given_rows: list) -> None:
    from corolla.batch_inference.job import LIST, Job
    from corolla.batch_inference.parts import Shape

    folder = tmp_path_factory.mktemp("list")
    clean = [
        Item(name.encode("utf-8", "replace").decode(), "x" + name.encode("utf-8", "replace").decode(), start, size)
        for name, start, size in given_rows
    ]
    assert write_list(folder / LIST, clean, 32) == len(clean)
    work = Job(folder, len(clean), 32, 1, Shape(1, None), b"")
    assert [row for number in range(work.chunks) for row in work.read(number)] == clean
