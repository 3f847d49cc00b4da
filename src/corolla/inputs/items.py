"""Turns a word of a command into images: a path, a folder, a pattern, a table of paths, a tar shard, or an address.

`corolla predict`, with and without `--out`, and `corolla explain` resolve their words here. A tar always stands for its
images, and a table (`.csv`, `.tsv`, `.parquet`) for the images at its paths.
"""

import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from corolla.errors import CorollaError
from corolla.inputs import tables, tars
from corolla.inputs.download import download, within
from corolla.inputs.errors import InputError
from corolla.inputs.patterns import braced, is_pattern, matching
from corolla.inputs.remote import WEB, files_at, local_path, open_address, protocol, read_bytes, reading, reason
from corolla.inputs.tree import files_below, named_like_image
from corolla.paths import word as at_home

MAX_BYTES = 64_000_000  # of an image from a network or an archive


@dataclass(frozen=True)
class Item:
    """One image: its name in the output, the full path or address of its file, and its position in that file."""

    name: str
    where: str = ""
    start: int = 0
    size: int = -1  # -1 for the rest of the file
    error: str = ""  # why it is not read

    @property
    def path(self) -> Path | None:
        """The image's own file on this machine's disk; None for any other image, which `content_of` reads."""
        return None if self.error or self.size >= 0 or protocol(self.where) else Path(self.where)


def items_of(word: str) -> Iterator[Item]:
    """The images of one word, in order, as a stream; those of a folder are sorted.

    Raises `InputError` for a word without images, and `CorollaError` for a table without paths. A single image that
    cannot be read is an item with the reason.
    """
    word = at_home(word)
    path = existing(word)
    found = chain.from_iterable(map(in_address, braced(word))) if path is None else in_path(word, path)
    first = next(found, None)
    if first is None:
        why = "the folder holds no files" if path is not None and path.is_dir() else "it holds no images"
        raise InputError(why, f"{word} holds no images")
    yield first
    yield from found


def existing(word: str) -> Path | None:
    """The path of a word on this machine's disk, which is there or a pattern; None for an address, which is not asked.

    Raises `InputError` if nothing is there.
    """
    path = local_path(word)
    if path is not None and not path.exists() and not is_pattern(str(path)):
        give = "give a folder, a pattern, a table, shards or an address of them"
        raise InputError("no such file", f"there is no {word}; {give}")
    return path


def in_path(word: str, path: Path) -> Iterator[Item]:
    """The images at a path, or at all paths that match it."""
    if path.is_file() and is_table(word):
        folder = path.parent.absolute()
        with path.open("rb") as file:
            yield from in_table(file, word, lambda name: str(folder / tables.with_slashes(name, folder)))
        return
    for each in [path] if path.exists() else [Path(name) for name in matching(str(path))]:
        for found in files_below(each) if each.is_dir() else [each]:
            yield from in_file(str(found), str(found.absolute()))


def in_address(word: str) -> Iterator[Item]:
    """The images at an address: of a folder, a pattern, a table, a shard or an image; a folder of the web ends in /."""
    on_web = protocol(word) in WEB
    pattern = glob.has_magic(word) and not on_web
    try:
        if is_table(word) and not pattern:
            folder = word.rpartition("/")[0]
            with reading(word) as file:
                yield from in_table(file, word, lambda name: f"{folder}/" + name.replace("\\", "/"))
        elif on_web and not word.endswith("/"):  # only its content would show what it is
            yield from in_file(word, word)
        else:
            system, path = open_address(word)
            for each in sorted(system.glob(path)) if pattern else [path]:
                for entry in files_at(system, each):
                    where, size = str(system.unstrip_protocol(entry["name"])), entry.get("size")
                    yield from in_file(where, where, size if isinstance(size, int) else -1)
    except CorollaError:
        raise
    except FileNotFoundError:
        raise InputError("no such file", f"there is no {word}") from None
    except Exception as error:  # file systems raise what they like
        why = reason(error, word)
        raise InputError(why, f"cannot list {word}: {why}") from None


def in_file(name: str, where: str, size: int = -1) -> Iterator[Item]:
    """The image in a file, or all images of a shard, with an item for the shard itself if it has no readable end."""
    # A pipe that is named like a shard would wait forever.
    if not where.lower().endswith(tars.SUFFIX) or not (protocol(where) or Path(where).is_file()):
        yield Item(name, where, 0, size)
        return
    try:
        with reading(where, size) as file:
            yield from in_tar(file, name, where)
    except Exception as error:  # file systems raise what they like
        yield Item(name, where, error=f"the shard cannot be read: {reason(error, where)}")


def is_table(word: str) -> bool:
    """Whether a word is named like a table of paths."""
    return word.lower().endswith(tables.NAMED_SUFFIXES)


def in_table(file: BinaryIO, name: str, locate: Callable[[str], str]) -> Iterator[Item]:
    """An item for each row of an open table; `locate` gives the full path or address of a path beside the table."""
    for path in tables.paths_in(file, name):
        if not path:
            yield Item("", error="the row has no path")
        else:
            yield Item(path, path if protocol(path) else locate(path))


def in_tar(file: BinaryIO, name: str, where: str) -> Iterator[Item]:
    """The images of an open shard in order, by the positions of their bytes; damage ends them with an item of its own.

    Files without the name of an image are skipped: WebDataset stores labels beside them. Links are never followed.
    """
    try:
        for member in tars.members(file):
            if not named_like_image(member.name):
                continue
            inside = f"{name}/{member.name}"
            if tars.is_ordinary(member):
                yield Item(inside, where, member.offset_data, member.size)
            else:
                yield Item(inside, where, error="it is not a regular file, and links are not followed")
    except tars.DamageError as error:
        yield Item(name, where, error=f"the shard is damaged: {error}")


def content_of(item: Item) -> bytes:
    """The bytes of an image, at most `MAX_BYTES`; `InputError` if they cannot be read."""
    if item.error:
        raise InputError(item.error)
    if item.size > MAX_BYTES:
        raise InputError(f"{item.size / 1e6:,.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB are not read")
    try:
        content = read_bytes(item.where, item.start, item.size, MAX_BYTES) if item.size else b""
    except Exception as error:  # file systems raise what they like
        raise InputError(reason(error, item.where)) from None
    if len(content) > MAX_BYTES:
        raise InputError(f"more than {MAX_BYTES / 1e6:.0f} MB, which are not read")
    if len(content) < item.size:
        raise InputError("truncated: the file ends before the image does")
    return content


def store(item: Item, file: Path) -> None:
    """Write the bytes of an image into a file; `InputError` if they cannot be read, `OSError` if not written."""
    if protocol(item.where) in WEB and item.size < 0:
        download(item.where, file, watch=within(MAX_BYTES))
    else:
        file.write_bytes(content_of(item))
