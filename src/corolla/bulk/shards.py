"""WebDataset shards: tar files whose pictures are listed by where their bytes lie, and read there, never unpacked."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from corolla.data.folders import _PICTURE_SUFFIXES
from corolla.data.listing import is_noise

SUFFIX = ".tar"
HEADER = 1 << 20  # bytes of a header at most; a hostile one promises gigabytes, and Python would read them


@dataclass(frozen=True)
class Member:
    """A picture in a shard: its name there, where its bytes begin and how many they are, or why it is not read."""

    name: str
    start: int = 0
    size: int = 0
    error: str = ""


class Careful:
    """The file as `tarfile` sees it: no piece of it is large."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes."""
        if not 0 <= size <= HEADER:
            raise tarfile.ReadError("a header without end")
        return self.file.read(size)

    def seek(self, place: int) -> int:
        """Go to a byte."""
        return self.file.seek(place)

    def tell(self) -> int:
        """Where it stands."""
        return self.file.tell()


def members(file: BinaryIO) -> Iterator[Member]:
    """The pictures of an open shard in its order; damage ends them with a member that has no name.

    What is not named like a picture is passed over: WebDataset keeps labels beside them. Links are never followed.
    """
    try:
        with tarfile.open(fileobj=Careful(file), mode="r:", errorlevel=1) as tar:  # type: ignore[call-overload]
            end = -1
            while (found := tar.next()) is not None:
                tar.members.clear()  # or a shard of a million would be remembered whole
                if tar.offset <= end:
                    raise tarfile.ReadError("its headers lead in a circle")
                end = tar.offset
                path = PurePosixPath(found.name)
                if path.suffix.lower() not in _PICTURE_SUFFIXES or is_noise(path.name) or found.isdir():
                    continue
                if found.isreg() and not found.issparse():
                    yield Member(found.name, found.offset_data, found.size)
                else:
                    yield Member(found.name, error="it is not an ordinary file, and links are not followed")
            file.seek(end)
            if any(file.read(tarfile.BLOCKSIZE)):  # `next` takes a header that it cannot read for the end
                raise tarfile.ReadError(f"its header at byte {end:,} is none")
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        yield Member("", error=f"the shard is damaged: {error}")
