import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from corolla.cache import sha256_of
from corolla.data import checking
from corolla.data.checking import check, refuse_changed
from corolla.data.decoding import Header
from corolla.data.manifest import Example, Manifest
from corolla.errors import CorollaError


def examples(*paths: str) -> list[Example]:
    return [Example(path, "rose") for path in paths]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The images that were really opened, through the real reader."""
    opened: list[Path] = []
    read = checking.read_with_header

    def reading(path: Path, **options: int) -> tuple[Image.Image, Header]:
        opened.append(path)
        return read(path, **options)

    monkeypatch.setattr(checking, "read_with_header", reading)
    return opened


def test_good_images_are_hashed_and_others_named(tmp_path: Path, make_image) -> None:
    make_image(tmp_path / "é 1.jpg", 1)
    make_image(tmp_path / "2.png", 2)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("roses are red")
    (tmp_path / "cut.png").write_bytes((tmp_path / "2.png").read_bytes()[:-400])
    names = ("é 1.jpg", "empty.jpg", "2.png", "text.jpg", "gone.jpg", "cut.png", "a\0b.jpg")
    checked = check(tmp_path, examples(*names))
    assert [e.path for e in checked.examples] == ["é 1.jpg", "2.png"]
    assert [e.sha256 for e in checked.examples] == [
        sha256_of(tmp_path / "é 1.jpg"),
        sha256_of(tmp_path / "2.png"),
    ]
    assert [len(bits) for bits in checked.fingerprints] == [32, 32]
    reasons = {s.path: s.reason for s in checked.skipped}
    assert reasons["empty.jpg"] == "the file is empty (0 bytes)"
    assert reasons["text.jpg"] == "not an image in a known format"
    assert reasons["gone.jpg"] == "no such file"
    assert reasons["cut.png"].startswith("truncated")
    assert "null" in reasons["a\0b.jpg"]


def test_strict_stops_at_the_first_by_name(tmp_path: Path, make_image) -> None:
    for n in range(200):
        make_image(tmp_path / f"{n:03}.png", n, (4, 4))
    (tmp_path / "077.png").write_bytes(b"")
    (tmp_path / "150.png").write_bytes(b"")
    with pytest.raises(CorollaError, match=r"077\.png: the file is empty"):
        check(tmp_path, examples(*(f"{n:03}.png" for n in range(200))), strict=True)


def test_progress_reaches_the_end(tmp_path: Path, make_image) -> None:
    names = [make_image(tmp_path / f"{n}.png", n, (4, 4)).name for n in range(70)]
    seen: list[tuple[str, int, int]] = []
    check(tmp_path, examples(*names), progress=lambda *state: seen.append(state))
    assert seen == [("checking", 32, 70), ("checking", 64, 70), ("checking", 70, 70)]


def test_a_second_look_opens_only_what_has_changed(tmp_path: Path, make_image, looked_at: list[Path]) -> None:
    names = [make_image(tmp_path / f"{n}.png", n).name for n in range(5)]
    (tmp_path / "bad.png").write_bytes(b"")
    first = check(tmp_path, examples(*names, "bad.png"))
    assert len(looked_at) == 6
    looked_at.clear()
    assert check(tmp_path, examples(*names, "bad.png")) == first
    assert looked_at == [tmp_path / "bad.png"]

    looked_at.clear()
    make_image(tmp_path / "3.png", 33)
    make_image(tmp_path / "bad.png", 34)
    second = check(tmp_path, examples(*names, "bad.png"))
    assert sorted(looked_at) == [tmp_path / "3.png", tmp_path / "bad.png"]
    assert second.examples[3].sha256 == sha256_of(tmp_path / "3.png") != first.examples[3].sha256
    assert second.skipped == ()


def test_a_changed_time_alone_is_a_reason_to_look_again(tmp_path: Path, make_image, looked_at: list[Path]) -> None:
    path = make_image(tmp_path / "1.png", 1)
    check(tmp_path, examples("1.png"))
    os.utime(path, ns=(1, 1))
    check(tmp_path, examples("1.png"))
    assert looked_at == [path, path]


def test_an_image_put_in_anothers_place_with_its_size_and_time_is_looked_at(
    tmp_path: Path, looked_at: list[Path]
) -> None:
    path, other = tmp_path / "1.bmp", tmp_path / "2.bmp"
    for image, color in ((path, "red"), (other, "blue")):
        Image.new("RGB", (8, 8), color).save(image)
    check(tmp_path, examples("1.bmp"))
    before = path.stat()
    other.replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert check(tmp_path, examples("1.bmp")).examples[0].sha256 == sha256_of(path)
    assert looked_at == [path, path]


def test_every_flipped_bit_means_forgotten(tmp_path: Path, make_image, own_cache: Path) -> None:
    make_image(tmp_path / "1.png", 1)
    good = check(tmp_path, examples("1.png"))
    (memory,) = (own_cache / "checked").iterdir()
    whole = bytearray(memory.read_bytes())
    for place in range(0, len(whole), 3):
        whole[place] ^= 1 << place % 8
        memory.write_bytes(whole)
        assert checking._recall(tmp_path) == {}
        whole[place] ^= 1 << place % 8
    assert check(tmp_path, examples("1.png")) == good


def test_images_that_are_gone_or_others_than_at_the_start_are_named(tmp_path: Path, make_image) -> None:
    for number in range(3):
        make_image(tmp_path / f"{number}.png", number)
    manifest = Manifest(tmp_path, check(tmp_path, examples("0.png", "1.png", "2.png")).examples)
    refuse_changed(manifest)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "0.png").rename(tmp_path / "away")
    make_image(tmp_path / "1.png", 9)
    with pytest.raises(CorollaError, match=r"2 of 3 .*0\.png: no such file, 1\.png: changed"):
        refuse_changed(manifest)
    (tmp_path / "away").rename(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(whole)
    refuse_changed(manifest)
    with pytest.raises(CorollaError, match="is missing"):
        refuse_changed(Manifest(tmp_path / "none", manifest.examples))


@pytest.mark.parametrize("damage", ["not json", "list", "other format", "short row", "bad hash", "no hex", "bytes"])
def test_a_damaged_memory_is_made_anew(
    tmp_path: Path, make_image, own_cache: Path, looked_at: list[Path], damage: str
) -> None:
    path = make_image(tmp_path / "1.png", 1)
    good = check(tmp_path, examples("1.png"))
    (memory,) = (own_cache / "checked").iterdir()
    whole = memory.read_bytes()
    first, row = map(json.loads, whole.splitlines()[:-1])
    if damage == "other format":
        first["format"] = "0"
    elif damage == "short row":
        row.pop()
    elif damage == "bad hash":
        row[4] = row[4][:-2]
    elif damage == "no hex":
        row[5] = "z" * 64
    texts = {"not json": b"{", "list": b"[]", "bytes": b"\xff\xfe\x00"}
    text = texts.get(damage, f"{json.dumps(first)}\n{json.dumps(row)}\n".encode())
    memory.write_bytes(text + hashlib.sha256(text).hexdigest().encode() + b"\n")
    assert check(tmp_path, examples("1.png")) == good
    assert looked_at == [path, path]
    assert memory.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, make_image, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image(tmp_path / "1.png", 1)
    (tmp_path / "file").touch()
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "file"))
    assert len(check(tmp_path, examples("1.png")).examples) == 1


def test_nothing_to_check(tmp_path: Path) -> None:
    checked = check(tmp_path, [])
    assert (checked.examples, checked.fingerprints, checked.skipped) == ((), (), ())
