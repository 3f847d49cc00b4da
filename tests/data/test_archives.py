import io
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.data import archives
from corolla.data.archives import untar, unzip
from corolla.errors import CorollaError


def zipped(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def nothing_written(cache: Path) -> bool:
    return not any(path.is_file() for path in cache.rglob("*"))


def refusal(archive: Path) -> str:
    with pytest.raises(CorollaError) as caught:
        unzip(archive)
    assert "\n" not in str(caught.value)
    assert str(archive) in str(caught.value)
    return str(caught.value)


def test_unzips_once_by_content(tmp_path: Path, own_cache: Path) -> None:
    contents = {
        "rose/ä b.jpg": b"1",
        "tulip/2.jpg": b"22",
        "__MACOSX/rose/._a.jpg": b"x",
        "rose/.DS_Store": b"x",
    }
    seen: list[tuple[str, int, int]] = []
    folder = unzip(zipped(tmp_path / "data.zip", contents), lambda *state: seen.append(state))
    assert folder.is_relative_to(own_cache)
    assert files(folder) == {"rose/ä b.jpg": b"1", "tulip/2.jpg": b"22"}
    assert seen == [("unpacking", 1, 2), ("unpacking", 2, 2)]

    before = (folder / "tulip" / "2.jpg").stat().st_mtime_ns
    shutil.copy(tmp_path / "data.zip", tmp_path / "copy.zip")
    assert unzip(tmp_path / "copy.zip") == folder
    assert (folder / "tulip" / "2.jpg").stat().st_mtime_ns == before
    assert unzip(zipped(tmp_path / "data.zip", {"rose/1.jpg": b"new"})) != folder


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "a/../../evil.jpg",
        "/evil.jpg",
        "..\\evil.jpg",
        "C:\\evil.jpg",
        "C:evil.jpg",
        "//x/y/evil",
    ],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, own_cache: Path, name: str) -> None:
    archive = zipped(tmp_path / "data.zip", {"rose/1.jpg": b"1"})
    with zipfile.ZipFile(archive, "a") as content:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        content.writestr(info, b"evil")
    assert "not safe" in refusal(archive)
    assert nothing_written(own_cache)
    assert not list(tmp_path.rglob("evil*"))


def test_a_folder_depth_nobody_needs_is_refused(tmp_path: Path) -> None:
    assert "not safe" in refusal(zipped(tmp_path / "deep.zip", {"a/" * 40 + "1.jpg": b"1"}))


def test_links_are_refused(tmp_path: Path, own_cache: Path) -> None:
    info = zipfile.ZipInfo("rose/passwords.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "link" in refusal(tmp_path / "data.zip")
    assert nothing_written(own_cache)


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", {"rose/1.jpg": b"1"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path)


def test_decompression_bombs_are_refused(tmp_path: Path, own_cache: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {f"rose/{n}.jpg": bytes(9_000_000) for n in range(8)})
    assert path.stat().st_size < 100_000
    assert "bomb" in refusal(path)
    assert nothing_written(own_cache)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    assert "4 files" in refusal(zipped(tmp_path / "many.zip", {f"rose/{n}.jpg": b"1" for n in range(4)}))


def test_a_full_disk_is_noticed_before(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    assert "COROLLA_CACHE" in refusal(zipped(tmp_path / "data.zip", {"rose/1.jpg": b"1" * 11}))
    assert nothing_written(own_cache)


def test_a_size_that_lies_is_no_way_around_the_limit(tmp_path: Path, own_cache: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"rose/1.jpg": bytes(1_000_000)})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(signature) + offset
        content[place : place + 4] = (5).to_bytes(4, "little")
    path.write_bytes(content)
    assert "damaged" in refusal(path)
    assert nothing_written(own_cache)


def test_damaged_zips(tmp_path: Path, own_cache: Path) -> None:
    path = zipped(tmp_path / "data.zip", {"rose/1.jpg": bytes(range(256)) * 400}, zipfile.ZIP_STORED)
    content = path.read_bytes()
    for damaged in (b"", b"no zip", content[:-30], content.replace(b"\x05\x06\x07", b"\x05\xff\x07")):
        path.write_bytes(damaged)
        assert "damaged" in refusal(path)
    assert nothing_written(own_cache)


def test_a_file_in_the_place_of_a_folder(tmp_path: Path, own_cache: Path) -> None:
    assert "cannot unpack" in refusal(zipped(tmp_path / "data.zip", {"rose": b"1", "rose/1.jpg": b"1"}))
    assert nothing_written(own_cache)


def test_names_in_utf8_that_are_not_marked_so(tmp_path: Path) -> None:
    path = zipped(tmp_path / "mac.zip", {"ros__/1.jpg": b"1"})
    path.write_bytes(path.read_bytes().replace(b"ros__", "rosé".encode()))
    assert list(files(unzip(path))) == ["rosé/1.jpg"]


def folder_or_line(path: Path) -> str:
    try:
        return "folder" if unzip(path).is_dir() else "nothing"
    except CorollaError as error:
        return str(error)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_anywhere_gives_a_folder_or_one_line(tmp_path: Path, changes: list[tuple[float, int]]) -> None:
    path = zipped(tmp_path / "data.zip", {"rose/1.jpg": b"abc" * 50, "tulip/2.jpg": b"def" * 50})
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    answer = folder_or_line(path)
    assert answer == "folder" or (str(path) in answer and "\n" not in answer)


@pytest.mark.parametrize(("offset", "value", "message"), [(10, 77, "not supported"), (6, 64, "6.4")])
def test_zips_of_other_makes(tmp_path: Path, offset: int, value: int, message: str) -> None:
    path = zipped(tmp_path / "data.zip", {"rose/1.jpg": b"abc" * 50})
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + offset  # the version, flags and method of the entry
    content[place] = value
    path.write_bytes(content)
    assert message in folder_or_line(path)


def test_untar(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    directory = tarfile.TarInfo("rose")
    directory.type = tarfile.DIRTYPE
    path = tarred(tmp_path / "a.tgz", (directory, b""), (tarfile.TarInfo("./rose/1.jpg"), b"1"))
    untar(path, folder)
    assert files(folder) == {"rose/1.jpg": b"1"}


@pytest.mark.parametrize("kind", ["above", "absolute", "link", "hard link", "device", "bomb", "truncated", "no tar"])
def test_hostile_and_damaged_tars(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    info, content = tarfile.TarInfo("rose/1.jpg"), b"x"
    if kind == "above":
        info.name = "../evil"
    elif kind == "absolute":
        info.name = "/evil"
    elif kind in ("link", "hard link", "device"):
        info.type = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[kind]
        info.linkname, content = "/etc/passwd", b""
    elif kind == "bomb":
        content = bytes(70_000_000)
    path = tarred(tmp_path / "a.tgz", (tarfile.TarInfo("rose/0.jpg"), b"0"), (info, content))
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif kind == "no tar":
        path.write_bytes(b"no tar at all")
    with pytest.raises(CorollaError, match=r"a\.tgz") as caught:
        untar(path, folder)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {"a.tgz": path.read_bytes()}
