"""The headers of a tar one after another, read without trusting them and without unpacking anything."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from corolla.data.shards.samples import DamageError

LONGEST = 2**20  # bytes of a header at most; a hostile one promises gigabytes, and Python would read them


@dataclass
class Careful:
    """What `tarfile` reads headers through: one that claims to be enormous is not read."""

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
        """Where it stands."""
        return self.file.tell()


def headers(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Every header of an open tar in its order; raises `DamageError` where it does not go on as one."""
    try:
        with tarfile.open(fileobj=Careful(file), mode="r:", errorlevel=1) as content:  # type: ignore[call-overload]
            before = -1
            while (member := content.next()) is not None:
                content.members.clear()  # it would remember them all
                if content.offset <= before:
                    raise DamageError("its headers lead back")
                before = content.offset
                yield member
            file.seek(content.offset)
            if not (end := file.read(tarfile.BLOCKSIZE)):  # a tar ends with zeros
                raise DamageError("it is cut short")
            if any(end):  # `next` takes a header that it cannot read for the end
                raise DamageError(f"its header at byte {content.offset:,} is damaged")
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise DamageError(str(error) or type(error).__name__) from None


def is_ordinary(member: tarfile.TarInfo) -> bool:
    """Whether it is a file with bytes of its own, and no link, device or file with holes."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
