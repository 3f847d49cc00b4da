import os
from pathlib import Path

import pytest

from corolla.atomic import write_json, write_text, write_with


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_with(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_text_keeps_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "größe.json"
    write_json(path, {"classes": ["Gänseblümchen", "蒲公英"]})
    assert "蒲公英" in path.read_text(encoding="utf-8")
    assert b"\r" not in path.read_bytes()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_number_that_is_not_finite_never_becomes_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not (tmp_path / "x.json").exists()
