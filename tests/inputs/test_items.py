"""A word becomes the images that it names, wherever they lie, in their order; what names none is one line."""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.errors import CorollaError
from corolla.inputs.errors import InputError
from corolla.inputs.items import Item, content_of, in_tar, items_of, store
from storage import serving


def names(*words: object) -> list[str]:
    return [item.name for word in words for item in items_of(str(word))]


def tar(**members: bytes) -> bytes:
    """A shard; the names of its members end in .png."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{name}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """A folder with two images and one more below, among noise; their content is their name."""
    folder = tmp_path / "some"
    for name in ("b.png", "a é.png", "below/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / ".hidden").write_text("x")
    return folder


@pytest.fixture
def held() -> Iterator[Callable[[str, bytes], None]]:
    """Writes files into the folder memory://room."""
    storage = fsspec.filesystem("memory")
    yield lambda name, content: storage.pipe_file(f"/room/{name}", content)
    if storage.exists("/room"):
        storage.rm("/room", recursive=True)


def test_folders_patterns_and_files_keep_their_order(some: Path) -> None:
    files = [some / "a é.png", some / "b.png", some / "below" / "c.png"]
    assert names(some) == [str(file) for file in files]
    assert names(some / "*.png", files[2]) == [str(file) for file in files]
    assert names(some / "below", some / "b.png", some / "b.png") == [str(files[2]), str(files[1]), str(files[1])]
    assert names(some.as_uri()) == [str(file) for file in files]
    assert names(some / "{b,a*}.png") == [str(files[1]), str(files[0])]
    assert names(some / "**" / "*.png") == [str(file) for file in sorted(files)]


def test_an_item_is_its_file_or_bytes_in_one(some: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.tar").write_bytes(tar(first=b"one", second=b"", third=b"three"))
    assert list(items_of("some/b.png")) == [Item(str(Path("some/b.png")), str(some / "b.png"))]
    assert next(items_of("some/b.png")).path == some / "b.png"
    shard = list(items_of("s.tar"))
    assert [item.name for item in shard] == ["s.tar/first.png", "s.tar/second.png", "s.tar/third.png"]
    assert [item.path for item in shard] == [None] * 3
    assert [content_of(item) for item in shard] == [b"one", b"", b"three"]
    store(shard[2], tmp_path / "stored")
    assert (tmp_path / "stored").read_bytes() == b"three"


def test_home_and_a_file_named_like_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("a[1].png", "{b,c}.png"):
        (tmp_path / name).touch()
        assert names(f"~/{name}") == [str(tmp_path / name)]


def test_what_lies_elsewhere_is_listed_like_a_folder(held: Callable[[str, bytes], None]) -> None:
    for name in ("b.png", "a.png", "below/c.png", ".x"):
        held(name, name.encode())
    held("s.tar", tar(inside=b"i"))
    held("list.csv", b"path\nb.png\nbelow\\c.png\nmemory://room/a.png\n")
    items = list(items_of("memory://room"))
    told = [item.name.replace("memory:///", "memory://").removeprefix("memory://room/") for item in items]
    assert told == ["a.png", "b.png", "list.csv", "s.tar/inside.png", "below/c.png"]
    assert [content_of(item) for item in items[:2]] == [b"a.png", b"b.png"]
    assert content_of(items[3]) == b"i"
    assert [content_of(item) for item in items_of("memory://room/list.csv")] == [b"b.png", b"below/c.png", b"a.png"]
    assert len(names("memory://room/*.png")) == 2
    assert len(names("memory://room/{a,b}.png")) == 2


def test_an_image_of_the_web_needs_no_listing() -> None:
    with serving() as (storage, address):
        assert names(f"{address}/a.png", f"{address}/{{1..3}}.jpg") == [
            f"{address}/{name}" for name in ("a.png", "1.jpg", "2.jpg", "3.jpg")
        ]
        assert storage.asked == []


@pytest.mark.parametrize(
    ("word", "reason", "said"),
    [
        ("nowhere", "no such file", "there is no nowhere; give a folder"),
        ("some/*.gif", "no file matches this pattern", "no file matches some/*.gif"),
        ("some/{b,d}.png", "no file matches this pattern", "no file matches some/d.png"),
        ("some/{3..1}.png", "no file matches this pattern", "no file matches some/{3..1}.png"),
        ("empty", "the folder holds no files", "empty holds no images"),
        ("memory://nowhere/", "no such file", "there is no memory://nowhere/"),
        ("nothing://x", "Protocol not known", "cannot open nothing://x: "),
        ("zip://a.png::file:///x.zip", "nested addresses", "nested addresses"),
        ("http://127.0.0.1:9/folder/", "", "cannot list http://127.0.0.1:9/folder/: "),
    ],
)
def test_what_means_nothing_is_one_line(
    word: str, reason: str, said: str, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (some.parent / "empty").mkdir()
    monkeypatch.chdir(some.parent)
    with pytest.raises(InputError) as raised:
        names(word)
    assert reason in raised.value.reason
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.csv", b"name,label\nx,y\n", "has no path column"),
        ("list.csv", b"", "has no path column"),
        ("list.csv", b"path\n\xff\xfe\n", "not UTF-8"),
        ("list.parquet", b"PAR1 nonsense PAR1", r"cannot read .*list\.parquet"),
    ],
)
def test_tables_that_are_none(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorollaError, match=said):
        names(tmp_path / name)


def test_a_pipe_named_like_a_shard_is_not_opened(tmp_path: Path) -> None:
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "a.tar")
    [item] = items_of(str(tmp_path))
    assert item.path == tmp_path / "a.tar"


def test_a_header_without_end_is_not_read() -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    [item] = in_tar(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096), "s.tar", "s.tar")
    assert (item.name, "damaged" in item.error) == ("s.tar", True)


@given(st.integers(0, 3 * 10240 - 1), st.integers(0, 255), st.integers(0, 3 * 10240))
def test_any_damage_of_a_shard_ends_its_listing(place: int, value: int, length: int) -> None:
    content = bytearray(tar(**{str(number): b"x" * 700 for number in range(12)}))
    content[place % len(content)] = value
    found = list(in_tar(io.BytesIO(bytes(content[:length])), "s.tar", "s.tar"))
    assert len(found) <= 13
    assert all(item.error or item.start + item.size <= len(content) for item in found)
