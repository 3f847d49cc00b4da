"""Decodes the file names in a zip, whose encoding may be unspecified.

A name is UTF-8 if its flag says so, or if Info-ZIP's extra field repeats it. Without either, the standard
requires cp437, but macOS writes UTF-8 and Windows the code page of its country. All such names of a zip were written
by one program: they are UTF-8 if all are valid UTF-8, unless they are so few that this may be coincidence (the two
bytes of the Chinese for cat are also an accented e). Otherwise the encoding is unknown, and a guess could garble the
class names silently.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from corolla.errors import CorollaError
from corolla.inputs.tables import NAMED_SUFFIXES
from corolla.text import printable

_UTF8 = 0x800  # the flag
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field
# The most common Windows code pages: the user recognizes the right one by the decoded name.
_PAGES = ("utf-8", "cp932", "gbk", "cp866", "cp850", "cp1252", "big5", "cp949")
_SHOWN = 6
_WINDOWS = (0, 10, 11, 14)  # a zip's numbers for the systems with code pages
_NO_CHANCE = 4  # characters: fewer may be valid UTF-8 by coincidence, as is one pair of bytes in five in Chinese text
_IN_A_WORD = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")  # not plausible in an Asian code page


def names_of(infos: Sequence[zipfile.ZipInfo], archive: Path) -> list[str]:
    """The names in the order of `infos`, as in the original file system.

    If the encoding is unknown, file names under ASCII folders are decoded as cp437, which keeps them distinct.
    Raises `CorollaError` if a folder, which may be a class, has such a name, or a file beside a table.
    """
    names = [_stated(info) for info in infos]
    unsure = {place: _raw(infos[place]) for place, name in enumerate(names) if name is None}
    try:
        read = {place: raw.decode("utf-8") for place, raw in unsure.items()}
        if read and not _is_certain([*read.values()], infos):
            raise UnicodeError
    except UnicodeError:
        read = {place: raw.decode("cp437") for place, raw in unsure.items()}
        folders = (part for raw in unsure.values() for part in raw.replace(b"\\", b"/").split(b"/")[:-1])
        doubtful = next((part for part in folders if not part.isascii()), None)
        if doubtful is None and any(info.filename.lower().endswith(NAMED_SUFFIXES) for info in infos):
            doubtful = next(iter(unsure.values()))
        if doubtful is not None:
            raise CorollaError(
                f"{archive} does not say how its names are encoded: {doubtful.decode('cp437')!r} in it may mean "
                f"{' or '.join(_meanings(doubtful))}; pack it anew with UTF-8 names, or unpack it yourself (unzip -O "
                "CODE) and give the folder"
            ) from None
    return [read[place] if name is None else name for place, name in enumerate(names)]


def _is_certain(names: Sequence[str], infos: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether names that are valid UTF-8 are not so by coincidence."""
    if any(info.create_system not in _WINDOWS for info in infos):
        return True
    text = "/".join({part for name in names for part in name.split("/")})
    return sum(not letter.isascii() for letter in text) >= _NO_CHANCE or bool(_IN_A_WORD.search(text))


def _stated(info: zipfile.ZipInfo) -> str | None:
    """The name, if the zip states its encoding."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    raw = _raw(info)
    if raw.isascii():
        return info.orig_filename
    for kind, content in _extra_fields(info.extra):
        if kind == _UNICODE_PATH and len(content) > 5:
            version, crc = struct.unpack("<BL", content[:5])
            if version == 1 and crc == zlib.crc32(raw):  # otherwise an older program has renamed the file
                try:
                    return content[5:].decode("utf-8")
                except UnicodeDecodeError:
                    return None
    return None


def _raw(info: zipfile.ZipInfo) -> bytes:
    """The bytes of a name without the UTF-8 flag, which Python decodes as cp437."""
    return info.orig_filename.encode("cp437")


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete extra fields of an entry."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _meanings(raw: bytes) -> list[str]:
    """The bytes decoded in every code page where they are valid, with the name of the code page."""
    found: dict[str, str] = {}
    for page in _PAGES:
        try:
            found.setdefault(printable(raw.decode(page)), page)
        except UnicodeDecodeError:
            continue
    return [f"{text} ({page})" for text, page in [*found.items()][:_SHOWN]]
