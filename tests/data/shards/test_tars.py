"""Tars of other people: whatever members a sample has, and whatever a hostile one tries."""

import io
import json
import random
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.data.shards import tars
from corolla.data.shards.samples import Sample
from corolla.data.shards.tars import read_tar
from corolla.inputs.tars import DamageError


def read(path: Path) -> list[Sample]:
    return list(read_tar(path, lambda place: True))


def test_a_sample_is_what_has_one_key(tmp_path: Path, pack: Callable) -> None:
    path = pack(
        tmp_path / "a.tar",
        [
            ("x/1.JPG", b"first"), ("x/1.cls", b"3\n"),
            ("2.txt", "näme".encode()), ("2.png", b"second"),
            ("3.json", b'{"label": 7, "group": "g"}'), ("3.webp", b"third"),
            ("no-label.jpg", b"-"), ("no-image.cls", b"1"), ("README", b"text"),
            ("._5.jpg", b"macOS"), ("._5.cls", b"1"),
            ("4.left.jpg", b"not the image"), ("4.jpg", b"fourth"), ("4.json", b'{"label": "j"}'), ("4.txt", b"t"),
            ("5.json", b"[1]"), ("5.jpg", b"-"), ("6.cls", b"1"), ("6.jpg", b"last"),
        ],
    )  # fmt: skip
    assert read(path) == [
        Sample(0, "x/1", "3", b"first"),
        Sample(1, "2", "näme", b"second"),
        Sample(2, "3", "7", b"third", "g"),
        Sample(3, "4", "j", b"fourth"),
        Sample(4, "6", "1", b"last"),
    ]
    some = list(read_tar(path, lambda place: place == 2))
    assert [sample.content for sample in some] == [None, None, b"third", None, None]
    assert [sample.word for sample in some] == ["3", "näme", "7", "j", "1"]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(tmp_path: Path, pack: Callable, format: int) -> None:
    key = f"{'a' * 90}/{'b' * 90}"
    assert [s.key for s in read(pack(tmp_path / "a.tar", [(f"{key}.jpg", b"1"), (f"{key}.cls", b"1")], format))] == [
        key
    ]


def test_only_ordinary_files_are_looked_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo("1.jpg")
            member.type, member.linkname = kind, str(secret)
            tar.addfile(member)
        member = tarfile.TarInfo("1.cls")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"1"))
    assert read(tmp_path / "a.tar") == []


def damaged(path: Path) -> tuple[list[Sample], str]:
    found: list[Sample] = []
    with pytest.raises(DamageError) as caught:
        found.extend(read_tar(path, lambda place: True))
    return found, str(caught.value)


def test_what_comes_before_the_damage_is_good(tmp_path: Path, pack: Callable) -> None:
    members = [(f"{n}.{suffix}", content) for n in range(4) for suffix, content in (("jpg", b"x" * 700), ("cls", b"1"))]
    whole = pack(tmp_path / "a.tar", members).read_bytes()
    step = 512 * 5
    for cut in (step * 2 + 3 * 512, step * 2 + 700):
        (tmp_path / "a.tar").write_bytes(whole[:cut])
        with pytest.raises(DamageError):
            read(tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes(whole[: 2 * step] + b"\xff" * 512 + whole[2 * step + 512 :])
    reader = read_tar(tmp_path / "a.tar", lambda place: True)
    assert next(reader).key == "0"
    with pytest.raises(DamageError, match=r"header at byte 5,120 is damaged"):
        list(reader)
    (tmp_path / "a.tar").write_bytes(b"")
    assert damaged(tmp_path / "a.tar")[0] == []
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    assert damaged(tmp_path / "a.tar")[0] == []


def test_a_header_that_claims_to_be_enormous_takes_no_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2**31
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**31 + 10_240)  # a hole
    assert "a header of" in damaged(tmp_path / "a.tar")[1]


def test_members_beyond_the_limits_are_passed_over(
    tmp_path: Path, pack: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "MAX_IMAGE", 10)
    long = b'{"label": "' + b"x" * 1001 + b'"}'
    nested = b'{"label": ' + b"[" * 100_000
    members = [
        ("1.jpg", b"x" * 11), ("1.cls", b"1"), ("2.jpg", b"x" * 10), ("2.cls", b"1" * (2**20 + 1)),
        ("3.jpg", b"x"), ("3.json", long), ("4.jpg", b"x"), ("4.json", nested), ("5.jpg", b"x"), ("5.cls", b"\xff"),
    ]  # fmt: skip
    assert [(s.key, s.word) for s in read(pack(tmp_path / "a.tar", members))] == [("5", "\ufffd")]


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_flipped_bytes_never_do_worse_than_damage(tmp_path_factory, pack: Callable, seed: int, flips: int) -> None:
    path = tmp_path_factory.mktemp("flipped") / "a.tar"
    facts = json.dumps({"label": "a"}).encode()
    pack(path, [(f"{n}.{end}", text) for n in range(5) for end, text in (("jpg", b"xy" * 300), ("json", facts))])
    content, dice = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(flips):
        content[dice.randrange(len(content))] = dice.randrange(256)
    path.write_bytes(content)
    with suppress(DamageError):
        assert len(read(path)) <= 10
