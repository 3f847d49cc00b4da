"""WebDataset shards: the images of a tar are listed by their byte positions and read in place, never unpacked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from corolla.data.shards.headers import headers, is_ordinary
from corolla.data.shards.samples import DamageError
from corolla.data.tree import named_like_image
from corolla.paths import is_system_file

SUFFIX = ".tar"


@dataclass(frozen=True)
class Member:
    """An image in a shard: its name, the offset and number of its bytes, or why it is not read."""

    name: str
    start: int = 0
    size: int = 0
    error: str = ""


def members(file: BinaryIO) -> Iterator[Member]:
    """The images of an open shard in order; damage ends them with a member without a name.

    Files without the name of an image are skipped: WebDataset stores labels beside them. Links are never followed.
    """
    try:
        for found in headers(file):
            path = PurePosixPath(found.name)
            if not named_like_image(path.name) or is_system_file(path.name) or found.isdir():
                continue
            if is_ordinary(found):
                yield Member(found.name, found.offset_data, found.size)
            else:
                yield Member(found.name, error="it is not a regular file, and links are not followed")
    except DamageError as error:
        yield Member("", error=f"the shard is damaged: {error}")
