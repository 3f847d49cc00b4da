"""The words after RUN become images, in their order."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from corolla.cli.inputs import gather, scratch_folder
from corolla.progress import Progress


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Names, or `name: error`, of what words mean in a folder with a few files."""
    for name in ("b.jpg", "a.jpg", "a[1].jpg", "sub/c.jpg", "sub/deep/d.png", "sub/.hidden", "sub/Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)

    def names(*words: str) -> list[str]:
        items = gather(words, lambda: tmp_path / "scratch", Progress())
        return [f"{item.name}: {item.error}" if item.error else Path(item.name).as_posix() for item in items]

    return names


def test_files_folders_and_patterns_keep_their_order(found: Callable[..., list[str]]) -> None:
    assert found("b.jpg", "sub", "?.jpg") == ["b.jpg", "sub/c.jpg", "sub/deep/d.png", "a.jpg", "b.jpg"]
    assert found("**/*.png", "s*") == ["sub/deep/d.png", "sub/c.jpg", "sub/deep/d.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(found: Callable[..., list[str]]) -> None:
    assert found("a[1].jpg") == ["a[1].jpg"]


def test_what_is_not_there_says_so(found: Callable[..., list[str]]) -> None:
    assert found("x*.jpg", "empty") == ["x*.jpg: no file matches this pattern", "empty: the folder holds no files"]
    assert found("gone.jpg", "a.jpg") == ["gone.jpg: no such file", "a.jpg"]


def test_a_link_back_to_its_folder_ends(found: Callable[..., list[str]], tmp_path: Path) -> None:
    try:
        (tmp_path / "sub" / "deep" / "again").symlink_to(tmp_path / "sub", target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    assert found("sub") == ["sub/c.jpg", "sub/deep/d.png"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (b"b.jpg\nsub\n", ["b.jpg", "sub/c.jpg", "sub/deep/d.png"]),
        (b"b.jpg\r\n\r\na.jpg", ["b.jpg", "a.jpg"]),
        (b"a.jpg\0b.jpg\0", ["a.jpg", "b.jpg"]),
        (b"", ["-: the file is empty (0 bytes)"]),
        (b"\n\n", ["-: not an image in a known format"]),
        (b"\xff\xd8\xff\xe0 half an image", ["-: truncated: the file ends before the image does"]),
    ],
)
def test_standard_input_may_list_paths(
    given: bytes, names: list[str], found: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(given)))
    assert found("-") == names


def test_what_is_no_file_of_its_own_becomes_one(tmp_path: Path) -> None:
    """The images of a shard and of other storage; the folder for them is made only then."""
    held = fsspec.filesystem("memory")
    held.pipe_file("/box/far.jpg", b"far")
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        member = tarfile.TarInfo("in.jpg")
        member.size = 2
        shard.addfile(member, io.BytesIO(b"in"))
    (tmp_path / "near.jpg").write_bytes(b"near")
    with scratch_folder() as scratch:
        words = [str(tmp_path / "s.tar"), "memory://box/far.jpg", str(tmp_path / "near.jpg")]
        items = gather(words, scratch, Progress())
        assert [item.path and item.path.read_bytes() for item in items] == [b"in", b"far", b"near"]
        folder = scratch()
        assert items[2].path == tmp_path / "near.jpg"
        assert folder.is_dir()
    assert not folder.exists()
    held.rm("/box", recursive=True)


def test_a_table_may_have_lost_an_image(found: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("number,path\n1,a.jpg\n2,memory://nowhere/x.jpg\n3,\n4,sub/c.jpg\n")
    assert found("list.csv") == ["a.jpg", "memory://nowhere/x.jpg: no such file", ": the row has no path", "sub/c.jpg"]


def test_standard_input_has_a_limit(found: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corolla.cli.inputs.MAX_BYTES", 10)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"x" * 11)))
    assert "more than" in found("-")[0]
