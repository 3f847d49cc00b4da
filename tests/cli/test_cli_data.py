"""`corolla data`: fetch and paint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from corolla.data.flowers import CLASSES


def test_paint_makes_a_folder_for_each_kind(corolla: Callable, tmp_path: Path) -> None:
    said = corolla("data", "paint", tmp_path / "new", "--count", 6, "--size", 32, "--seed", 3)
    assert said.status == 0
    assert said.out == f"{tmp_path / 'new'}\n"
    painted = {path.parent.name: path.read_bytes() for path in (tmp_path / "new").rglob("*.jpg")}
    assert len(painted) == 5
    assert len(list((tmp_path / "new").rglob("*.jpg"))) == 6


def test_paint_refuses_a_folder_with_other_things(corolla: Callable, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    assert "letter.txt" in corolla("data", "paint", tmp_path, "--count", 5).line


def test_paint_says_what_it_needs(corolla: Callable, tmp_path: Path) -> None:
    assert "5" in corolla("data", "paint", tmp_path, "--count", 2).line
    assert "4 pixels" in corolla("data", "paint", tmp_path, "--count", 5, "--size", 4).line


def test_fetch_prints_the_folder_that_is_there_already(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CLASSES:
        (tmp_path / "flower_photos" / name).mkdir(parents=True)
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path))
    said = corolla("data", "fetch", "flowers")
    assert (said.status, said.out) == (0, f"{tmp_path / 'flower_photos'}\n")


def test_fetch_says_that_a_named_folder_holds_none(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path))
    assert "COROLLA_DATA" in corolla("data", "fetch", "flowers").line
