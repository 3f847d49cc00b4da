"""The set that `painted` stands for: painted once, looked over each time, mended where it is not as it was."""

from pathlib import Path

import PIL
import pytest

from corolla.errors import CorollaError
from corolla.painted import cached_set
from corolla.painted.cached import SUMS


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small one in a cache of its own."""
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    return cached_set(10)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def again(folder: Path) -> list[tuple[int, int]]:
    """What is painted when the set is asked for another time."""
    seen: list[tuple[int, int]] = []
    assert cached_set(10, lambda done, of: seen.append((done, of))) == folder
    return seen


def test_a_whole_set_is_not_painted_again(kept: Path) -> None:
    before = contents(kept)
    assert len(before) == 11
    assert again(kept) == []
    assert contents(kept) == before


@pytest.mark.parametrize("damage", ["gone", "flipped", "cut", "a folder gone"])
def test_only_what_is_not_as_it_was_is_painted_again(kept: Path, damage: str) -> None:
    before = contents(kept)
    image = kept / "tulip" / "painted-00001.jpg"
    content = image.read_bytes()
    image.unlink()
    if damage == "flipped":
        image.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "cut":
        image.write_bytes(content[:300])
    elif damage == "a folder gone":
        (kept / "tulip" / "painted-00000.jpg").unlink()
        image.parent.rmdir()
    most = 2 if damage == "a folder gone" else 1
    assert again(kept) == [(done, most) for done in range(most + 1)]
    assert contents(kept) == before
    assert again(kept) == []


@pytest.mark.parametrize("sums", [None, b"", b"\xff\x00 what", b"0123  tulip/painted-00001.jpg\n"])
def test_sums_that_say_nothing_are_made_again(kept: Path, sums: bytes | None) -> None:
    before = contents(kept)
    if sums is None:
        (kept / SUMS).unlink()
    else:
        (kept / SUMS).write_bytes(sums)
    assert again(kept)[-1] == (10, 10)
    assert {name: content for name, content in contents(kept).items() if name != SUMS} == {
        name: content for name, content in before.items() if name != SUMS
    }
    assert again(kept) == []


def test_images_of_others_are_not_trained_on(kept: Path) -> None:
    (kept / "rose" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(CorollaError, match=r"already holds rose.mine\.jpg; take it out") as refusal:
        cached_set(10)
    assert "\n" not in str(refusal.value)
    assert (kept / "rose" / "mine.jpg").read_bytes() == b"mine"


def test_a_set_that_was_broken_off_is_no_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))

    def enough(done: int, of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_set(10, enough)
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(contents(cached_set(10))) == 11


def test_another_version_of_what_paints_has_a_set_of_its_own(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL, "__version__", "0")
    other = cached_set(10)
    assert other != kept
    assert contents(other) == contents(kept)
