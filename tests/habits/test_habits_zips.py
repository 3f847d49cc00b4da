"""Zips as people's programs write them, and the names that come out."""

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from corolla.data.archives import unzip
from corolla.errors import CorollaError

Entry = tuple[bytes, bool, bytes]  # the bytes of a name, whether it is flagged as UTF-8, an extra field


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))


def zipped(
    path: Path, entries: list[Entry], attributes: int = 0, contents: list[bytes] | None = None, system: int = 0
) -> Path:
    """A zip written by hand: Python's own writer would not leave a name without its flag."""
    body, index = b"", b""
    for number, (name, flagged, extra) in enumerate(entries):
        content = contents[number] if contents else str(number).encode()
        content = b"" if name.endswith((b"/", b"\\")) else content
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0x800 if flagged else 0, 0, 0, 0x21, zlib.crc32(content), len(content), len(content),
            len(name), len(extra),
        )  # fmt: skip
        tail = struct.pack("<HHHII", 0, 0, 0, attributes if not content else 0, len(body))
        index += b"PK\x01\x02" + bytes([20, system]) + common + tail + name + extra
        body += b"PK\x03\x04" + common + name + extra + content
    count = len(entries)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(index), len(body), 0)
    path.write_bytes(body + index + end)
    assert zipfile.ZipFile(path).testzip() is None
    return path


def extra(raw: bytes, name: str, crc: int | None = None) -> bytes:
    """Info-ZIP's field that spells a name once more, after another field."""
    content = struct.pack("<BL", 1, zlib.crc32(raw) if crc is None else crc) + name.encode()
    return struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(content)) + content


def plain(name: str, encoding: str) -> Entry:
    return name.encode(encoding), False, b""


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refusal(archive: Path) -> str:
    with pytest.raises(CorollaError) as caught:
        unzip(archive)
    assert "\n" not in str(caught.value)
    assert str(archive) in str(caught.value)
    return str(caught.value)


CAT = "猫/1.jpg".encode("gbk")

# How names are written -> the names that are certain.
READ: dict[str, tuple[list[Entry], list[str]]] = {
    "flagged": ([("löwe/1.jpg".encode(), True, b""), ("猫/2.jpg".encode(), True, b"")], ["löwe/1.jpg", "猫/2.jpg"]),
    "UTF-8 and not flagged (macOS)": ([plain("löwe/1.jpg", "utf-8"), plain("猫/2.jpg", "utf-8")],
                                      ["löwe/1.jpg", "猫/2.jpg"]),
    "Info-ZIP's field": ([(CAT, False, extra(CAT, "猫/1.jpg"))], ["猫/1.jpg"]),
    "a field of all, and the rest UTF-8": (
        [(CAT, False, extra(CAT, "猫/1.jpg")), plain("löwe/2.jpg", "utf-8")],
        ["löwe/2.jpg", "猫/1.jpg"],
    ),
    "unknown names under plain folders": ([plain("cat/é.jpg", "cp850"), plain("dog/1.jpg", "ascii")],
                                          ["cat/é.jpg", "dog/1.jpg"]),
    "backslashes": ([(b"set\\", False, b""), (b"set\\cat\\", False, b""), (b"set\\cat\\1.jpg", False, b"")],
                    ["set/cat/1.jpg"]),
    "dots and doubled slashes": ([(b"./cat//1.jpg", False, b""), (b"dog/./2.jpg", False, b"")],
                                 ["cat/1.jpg", "dog/2.jpg"]),
}  # fmt: skip


@pytest.mark.parametrize("habit", READ)
def test_names_that_are_certain(habit: str, tmp_path: Path) -> None:
    entries, names = READ[habit]
    assert files(unzip(zipped(tmp_path / "data.zip", entries))) == names


@pytest.mark.parametrize(
    ("name", "encoding", "meaning"),
    [
        ("猫/1.jpg", "gbk", "猫 (gbk)"),
        ("ねこ/1.jpg", "cp932", "ねこ (cp932)"),
        ("кошка/1.jpg", "cp866", "кошка (cp866)"),
        ("chêne/1.jpg", "cp850", "chêne (cp850)"),
        ("chêne/1.jpg", "cp1252", "chêne (cp1252)"),
    ],
)
def test_classes_are_never_silently_garbled(name: str, encoding: str, meaning: str, tmp_path: Path) -> None:
    said = refusal(zipped(tmp_path / "data.zip", [plain(name, encoding), plain("other/2.jpg", "ascii")]))
    assert "does not say how its names are encoded" in said
    assert meaning in said


def test_few_letters_that_are_utf8_by_chance(tmp_path: Path) -> None:
    cat = [plain("猫/1.jpg", "gbk"), plain("other/2.jpg", "ascii")]
    assert cat[0][0].decode("utf-8") == "è/1.jpg"
    assert "è (utf-8)" in refusal(zipped(tmp_path / "windows.zip", cat))
    assert files(unzip(zipped(tmp_path / "mac.zip", [plain("è/1.jpg", "utf-8")], system=3))) == ["è/1.jpg"]
    assert files(unzip(zipped(tmp_path / "more.zip", [plain("кошка/1.jpg", "utf-8")]))) == ["кошка/1.jpg"]


def test_one_name_that_is_no_utf8_puts_all_in_doubt(tmp_path: Path) -> None:
    assert "may mean" in refusal(
        zipped(tmp_path / "data.zip", [plain("猫/1.jpg", "gbk"), plain("狗/2.jpg", "gbk")], system=3)
    )


def test_a_stale_field_is_not_believed(tmp_path: Path) -> None:
    raw = "猫/1.jpg".encode("gbk")
    assert "may mean" in refusal(zipped(tmp_path / "data.zip", [(raw, False, extra(raw, "old/1.jpg", crc=7))]))


def test_a_table_beside_names_in_doubt(tmp_path: Path) -> None:
    entries = [plain("p/é.jpg", "cp1252"), plain("labels.csv", "ascii")]
    assert "p/é.jpg (cp1252)" in refusal(zipped(tmp_path / "data.zip", entries))


def test_two_files_of_one_name(tmp_path: Path) -> None:
    entries = [plain("cat/1.jpg", "ascii"), (b"cat\\1.jpg", False, b"")]
    assert "two files with the same name (cat/1.jpg)" in refusal(zipped(tmp_path / "data.zip", entries))
    same = zipped(tmp_path / "same.zip", entries, contents=[b"x", b"x"])
    assert files(unzip(same)) == ["cat/1.jpg"]


def test_folders_that_only_an_attribute_tells(tmp_path: Path) -> None:
    entries = [plain("cat", "ascii"), plain("cat/1.jpg", "ascii")]
    folder = unzip(zipped(tmp_path / "data.zip", entries, attributes=0x10, contents=[b"", b"x"]))
    assert files(folder) == ["cat/1.jpg"]


def test_archives_in_a_zip(tmp_path: Path) -> None:
    inside = [plain(name, "ascii") for name in ("train.zip", "test.tar.gz", "labels.csv")]
    assert "holds archives and no images (test.tar.gz, train.zip)" in refusal(zipped(tmp_path / "data.zip", inside))
    beside = [plain("old.zip", "ascii"), plain("cat/1.jpg", "ascii")]
    assert files(unzip(zipped(tmp_path / "beside.zip", beside))) == ["cat/1.jpg", "old.zip"]
