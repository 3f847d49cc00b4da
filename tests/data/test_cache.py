import sys
from pathlib import Path

import pytest

from corolla.data import cache_folder
from corolla.data.cache import new_folder


def test_the_environment_chooses_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "ä b"))
    assert cache_folder() == tmp_path / "ä b"
    monkeypatch.setenv("COROLLA_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", Path("/xdg/corolla")),
        ("darwin", Path.home() / "Library" / "Caches" / "corolla"),
        ("win32", Path("/local/corolla/cache")),
    ],
)
def test_each_platform_has_its_place(monkeypatch: pytest.MonkeyPatch, platform: str, expected: Path) -> None:
    monkeypatch.delenv("COROLLA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == expected


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "new") as unfinished:
        (unfinished / "file").write_text("x")
        assert not (tmp_path / "deep" / "new").exists()
    assert (tmp_path / "deep" / "new" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]


def fail_inside(folder: Path) -> None:
    with new_folder(folder) as unfinished:
        (unfinished / "file").write_text("x")
        raise KeyboardInterrupt


def test_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail_inside(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_made_first_is_kept(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new") as unfinished:
        (unfinished / "file").write_text("second")
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "file").write_text("first")
    assert (tmp_path / "new" / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
