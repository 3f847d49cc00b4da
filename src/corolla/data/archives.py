"""Unpacks untrusted zip and tar files.

Only regular files inside the target folder are written. An archive with a path outside that folder, a link, a
password or a suspicious compression ratio is rejected as a whole, before anything is written.
"""

import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from corolla.cache import cache_folder, new_folder, sha256_of
from corolla.data.progress import Progress
from corolla.data.zipnames import names_of
from corolla.errors import CorollaError, few, first_line
from corolla.inputs.tree import IMAGE_SUFFIXES
from corolla.paths import is_system_file

MAX_FILES = 1_000_000
MAX_RATIO = 100  # unpacked size / packed size; photographs hardly shrink at all
_ALWAYS_FINE = 64 * 2**20  # bytes: a small archive may have any ratio
_MAX_DEPTH = 32
_DAMAGE = (zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError)
_NOT_ON_WINDOWS = '<>:"|?*'
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")


def unzip(archive: Path, progress: Progress | None = None) -> Path:
    """Unpack a zip into the cache folder, or find it there; the folder's name is the hash of the zip.

    Raises `CorollaError` if the zip is damaged, encrypted or unsafe, or the disk is too small.
    """
    with _refusals(archive):
        folder = cache_folder() / "unzipped" / sha256_of(archive)[:32]
        if not folder.is_dir():
            with zipfile.ZipFile(archive) as content, new_folder(folder) as unfinished:
                _unzip(content, archive, unfinished, progress)
    return folder


def check_zip(archive: Path) -> None:
    """Raise `CorollaError` where `unzip` would, as far as the zip's central directory shows it; unpacks nothing."""
    with _refusals(archive), zipfile.ZipFile(archive) as content:
        _wanted(content, archive)


@contextmanager
def _refusals(archive: Path) -> Iterator[None]:
    """Turn the exceptions of `zipfile` into a `CorollaError` of one line."""
    try:
        yield
    except NotImplementedError as error:
        raise CorollaError(f"cannot unpack {archive}: {error}; pack it as an ordinary zip") from None
    except (*_DAMAGE, zipfile.BadZipFile) as error:
        raise CorollaError(
            f"{archive} is damaged or not a zip ({first_line(error)}); copy or download it again"
        ) from None
    except OSError as error:
        raise CorollaError(f"cannot unpack {archive}: {error.strerror or error}") from None


def untar(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpack a tar file (of any compression) into `folder`, which must exist.

    Raises `CorollaError` as `unzip` does.
    """
    try:
        with tarfile.open(archive) as content:
            wanted = {
                _safe_parts(member.name, archive): _ordinary(member, archive)
                for member in content
                if not member.isdir()
            }
            _check_sizes(archive, [member.size for member in wanted.values()], folder)
            for done, (parts, member) in enumerate(wanted.items(), start=1):
                source = content.extractfile(member)
                assert source is not None  # only regular files are left
                with source:
                    _write(source, folder.joinpath(*parts), archive)
                if progress:
                    progress("unpacking", done, len(wanted))
    except (*_DAMAGE, tarfile.TarError) as error:
        raise CorollaError(f"{archive} is damaged or not a tar file ({first_line(error)}); download it again") from None
    except OSError as error:
        raise CorollaError(f"cannot unpack {archive}: {error.strerror or error}") from None


def _wanted(content: zipfile.ZipFile, archive: Path) -> dict[tuple[str, ...], zipfile.ZipInfo]:
    """The files to unpack, by the parts of their paths; `CorollaError` if the zip must not be unpacked."""
    wanted: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    infos = content.infolist()
    for info, name in zip(infos, names_of(infos, archive), strict=True):
        parts = _safe_parts(name, archive)
        if _is_folder(info, name) or any(is_system_file(part) for part in parts):
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            raise CorollaError(f"{archive} holds a link ({name}); pack the files themselves")
        if info.flag_bits & 0x1:
            raise CorollaError(f"{archive} is encrypted; unpack it yourself and give the folder")
        before = wanted.setdefault(parts, info)
        if (before.CRC, before.file_size) != (info.CRC, info.file_size):
            raise CorollaError(_two_of(archive, "/".join(parts)))
    inner = sorted("/".join(parts) for parts in wanted if parts[-1].lower().endswith(_ARCHIVES))
    endings = {parts[-1].lower().rpartition(".")[::2] for parts in wanted}
    if inner and not any(not stem or f".{ending}" in IMAGE_SUFFIXES for stem, ending in endings):
        raise CorollaError(
            f"{archive} holds archives and no images ({few(inner)}); unpack those too, and give the folder"
        )
    return wanted


def _is_folder(info: zipfile.ZipInfo, name: str) -> bool:
    """Whether an entry is a folder; some programs mark it only by a backslash or an attribute."""
    return name.endswith(("/", "\\")) or (bool(info.external_attr & 0x10) and not info.file_size)


def _unzip(content: zipfile.ZipFile, archive: Path, folder: Path, progress: Progress | None) -> None:
    wanted = _wanted(content, archive)
    _check_sizes(archive, [info.file_size for info in wanted.values()], folder)
    for done, (parts, info) in enumerate(wanted.items(), start=1):
        with content.open(info) as source:  # yields at most the declared size, and verifies the CRC
            _write(source, folder.joinpath(*parts), archive)
        if progress:
            progress("unpacking", done, len(wanted))


def _ordinary(member: tarfile.TarInfo, archive: Path) -> tarfile.TarInfo:
    if not member.isreg():
        raise CorollaError(f"{archive} holds a link or a device ({member.name}); it is not unpacked")
    return member


def _safe_parts(name: str, archive: Path) -> tuple[str, ...]:
    """The parts of a path in an archive; `CorollaError` unless it stays inside the target folder."""
    slashed = name.replace("\\", "/")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    hostile = slashed.startswith("/") or ".." in parts or slashed[1:2] == ":" or "\0" in name
    if hostile or not parts or len(parts) > _MAX_DEPTH:
        raise CorollaError(f"{archive} holds the name {name[:80]!r}, which is not safe to unpack")
    if os.name == "nt" and any(set(part) & set(_NOT_ON_WINDOWS) or part[-1] in ". " for part in parts):
        raise CorollaError(f"{archive} holds the name {name[:80]!r}, which Windows cannot store; rename it")
    return parts


def _check_sizes(archive: Path, sizes: list[int], folder: Path) -> None:
    total = sum(sizes)
    if len(sizes) > MAX_FILES:
        raise CorollaError(f"{archive} holds {len(sizes):,} files; more than {MAX_FILES:,} are not unpacked")
    if total > max(_ALWAYS_FINE, MAX_RATIO * archive.stat().st_size):
        raise CorollaError(
            f"{archive} would grow more than {MAX_RATIO} times, to {total / 1e9:.1f} GB, like a "
            "decompression bomb; if you trust it, unpack it yourself and give the folder"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise CorollaError(
            f"{archive} needs {total / 1e9:.1f} GB unpacked and {folder.parent} has {free / 1e9:.1f} GB "
            "free; make room, or set COROLLA_CACHE to a folder on a larger disk"
        )


def _write(source: IO[bytes], target: Path, archive: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except FileExistsError:
        raise CorollaError(_two_of(archive, target.name)) from None


def _two_of(archive: Path, name: str) -> str:
    return f"{archive} holds two files with the same name ({name}); it is not unpacked"
