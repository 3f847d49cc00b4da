import os
import sys
import time
from pathlib import Path

import pytest

from corolla.data import cache_folder
from corolla.data.cache import DAY, new_folder
from corolla.lock import locked


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


def test_what_killed_processes_left_is_cleared_away_a_day_later(tmp_path: Path) -> None:
    names = (".new [1]-abandond", ".new [1]-inuse_01", ".new [1]-recent_1", ".newer-abandond", "new [1]-mine_own")
    for name in names:
        (tmp_path / name / "rose").mkdir(parents=True)
        (tmp_path / name / "rose" / "file").touch()
        age = 60 if "recent" in name else DAY + 60
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    with locked(tmp_path / names[1], "painting"):
        os.utime(tmp_path / names[1], (time.time() - DAY - 60,) * 2)
        with new_folder(tmp_path / "new [1]"):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "new [1]"}
