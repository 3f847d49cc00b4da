"""The words after RUN become images, in their order."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from corolla.cli.inputs import gather
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
        inputs = gather(words, tmp_path / "scratch", Progress())
        return [f"{item.name}: {item.error}" if item.error else Path(item.name).as_posix() for item in inputs]

    return names


def test_files_folders_and_patterns_keep_their_order(found: Callable[..., list[str]]) -> None:
    assert found("b.jpg", "sub", "?.jpg") == ["b.jpg", "sub/c.jpg", "sub/deep/d.png", "a.jpg", "b.jpg"]
    assert found("**/*.png", "s*") == ["sub/deep/d.png", "sub/c.jpg", "sub/deep/d.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(found: Callable[..., list[str]]) -> None:
    assert found("a[1].jpg") == ["a[1].jpg"]


def test_what_is_not_there_says_so(found: Callable[..., list[str]]) -> None:
    assert found("x*.jpg", "empty") == ["x*.jpg: no file matches this pattern", "empty: the folder holds no files"]
    assert found("gone.jpg") == ["gone.jpg"]  # the decoder finds the words for it


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


def test_standard_input_has_a_limit(found: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corolla.cli.inputs.MAX_BYTES", 10)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"x" * 11)))
    assert "more than" in found("-")[0]
