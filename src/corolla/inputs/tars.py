"""Reads the headers of an untrusted tar one by one, without unpacking anything."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from corolla.paths import is_system_file

SUFFIX = ".tar"
LONGEST = 2**20  # largest header in bytes; a malicious one claims gigabytes, and Python would read them


class DamageError(Exception):
    """A file of many images is invalid from some position on; the images before it are good."""


@dataclass
class Careful:
    """The file object that `tarfile` reads headers from; it rejects oversized headers."""

    file: BinaryIO

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= LONGEST:
            raise DamageError(f"it has a header of {size:,} bytes")
        return self.file.read(size)

    def seek(self, place: int) -> int:
        """Go there."""
        return self.file.seek(place)

    def tell(self) -> int:
        """The position in the file."""
        return self.file.tell()


def members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The headers of an open tar in order, without folders and files of the operating system.

    Raises `DamageError` where the tar is invalid. Links are members too: check `is_ordinary` before you read one.
    """
    try:
        with tarfile.open(fileobj=Careful(file), mode="r:", errorlevel=1) as content:  # type: ignore[call-overload]
            before = -1
            while (member := content.next()) is not None:
                content.members.clear()  # otherwise it stores them all
                if content.offset <= before:
                    raise DamageError("its headers point backwards")
                before = content.offset
                if not member.isdir() and not is_system_file(member.name.rpartition("/")[2]):
                    yield member
            file.seek(content.offset)
            if not (end := file.read(tarfile.BLOCKSIZE)):  # a tar ends with zeros
                raise DamageError("it is truncated")
            if any(end):  # `next` treats an unreadable header as the end
                raise DamageError(f"its header at byte {content.offset:,} is damaged")
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise DamageError(str(error) or type(error).__name__) from None


def is_ordinary(member: tarfile.TarInfo) -> bool:
    """Whether it is a regular file, and not a link, a device or a sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
