import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corolla.cache import DAY, cache_folder, new_folder, own_temporary
from corolla.lock import locked


def test_the_environment_chooses_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "ä b"))
    assert cache_folder() == tmp_path / "ä b"
    monkeypatch.setenv("COROLLA_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", "xdg/corolla"),
        ("darwin", "home/Library/Caches/corolla"),
        ("win32", "local/corolla/cache"),
    ],
)
def test_each_platform_has_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, expected: str
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.delenv("COROLLA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / expected


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder for temporary files, and nothing that says where a cache belongs."""
    (tmp_path / "tmp").mkdir()
    for name in ("COROLLA_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    own_temporary.cache_clear()
    yield tmp_path / "tmp"
    own_temporary.cache_clear()


def no_home(_: type[Path] = Path) -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("home", ["none", "not there", "read only"])
def test_without_a_home_to_write_to_it_lies_with_temporary_files(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    place = tmp_path / home
    monkeypatch.setattr(Path, "home", no_home if home == "none" else lambda: place)
    if home == "read only":
        place.mkdir()
        allowed = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place and allowed(path, mode))  # root may
    folder = cache_folder()
    assert folder.parent == temporary
    with new_folder(folder / "new"):
        pass
    assert (folder / "new").is_dir()
    assert cache_folder() == folder
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_cache_that_is_filled_is_read_though_nobody_may_write(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    filled = cache_folder()
    assert filled.is_relative_to(tmp_path)
    filled.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_folder() == filled


@pytest.mark.skipif(os.name != "posix", reason="folders of Windows have no such rights")
def test_a_temporary_folder_that_others_may_write_to_is_not_taken(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", no_home)
    planted = temporary / f"corolla-{os.geteuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    folder = cache_folder()
    assert folder.parent == temporary
    assert folder != planted
    assert cache_folder() == folder


def test_where_nothing_may_be_written_it_is_a_place_that_says_so(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(OSError, match=os.devnull), new_folder(cache_folder() / "new"):
        pass


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
