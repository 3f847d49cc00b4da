"""From the words after `corolla predict RUN` to a row for each image, one after another and never all at once.

A word is a folder (everything below it, sorted), a pattern, an image, a tar shard, a table of paths, or an address of
any of them. Wherever a tar is met its images are meant. What a word itself means must be there; one
image of many that cannot be had becomes a row that says why.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corolla.bulk import places
from corolla.bulk.lists import paths_in
from corolla.bulk.shards import SUFFIX, members
from corolla.data.hashing import sha256_of
from corolla.data.rows import NAMED_SUFFIXES
from corolla.data.tree import files_below
from corolla.errors import CorollaError


@dataclass(frozen=True)
class Row:
    """One image: what the table calls it, the whole path or address of its file, and where in that file it lies."""

    name: str
    where: str
    start: int = 0
    size: int = -1  # all of the file, or as much as there is
    error: str = ""  # why it will not be read


def rows_of(words: Iterable[str]) -> Iterator[Row]:
    """A row for each image that the words mean, in their order; `CorollaError` where a word means nothing."""
    for word in words:
        empty = True
        for row in expand(word):
            empty = False
            yield row
        if empty:
            raise CorollaError(f"{word} holds no images")


def expand(word: str) -> Iterator[Row]:
    """The rows of one word."""
    refuse_missing(word)
    if not is_local(word):
        yield from elsewhere(word)
        return
    path = local_path(word)
    if path.is_dir():
        yield from in_files(files_below(path))
    elif path.exists():
        yield from in_table(word, path) if word.lower().endswith(NAMED_SUFFIXES) else in_files([path])
    else:
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        for each in map(Path, found):
            yield from in_files(files_below(each) if each.is_dir() else [each])


def refuse_missing(word: str) -> None:
    """`CorollaError` for a word that means nothing here; what lies elsewhere is not asked for."""
    if word == "-":
        raise CorollaError("standard input cannot be read twice; write the paths into a table, and give that")
    if is_local(word) and not local_path(word).exists() and not glob.has_magic(str(local_path(word))):
        raise CorollaError(f"there is no {word}; give a folder, a pattern, a table, shards or an address of them")


def is_local(word: str) -> bool:
    """Whether a word is of this machine's disks."""
    return places.protocol(word) in (None, *places.LOCAL)


def local_path(word: str) -> Path:
    """The path that a word means, also one that is written as an address."""
    return Path(places.open_place(word)[1]) if places.protocol(word) in places.LOCAL else Path(word)


def in_files(files: Iterable[Path]) -> Iterator[Row]:
    """A row for each file, and for a shard those of its members."""
    for file in files:
        if file.suffix.lower() == SUFFIX:
            yield from in_shard(str(file), str(file.absolute()))
        else:
            yield Row(str(file), str(file.absolute()))


def in_shard(name: str, where: str, size: int = -1) -> Iterator[Row]:
    """A row for each image of a shard; one for the shard itself if it cannot be read to its end."""
    try:
        with opened(where, size) as file:
            for member in members(file):
                inside = f"{name}/{member.name}" if member.name else name
                yield Row(inside, where, member.start, member.size, member.error)
    except Exception as error:  # file systems raise what they like
        yield Row(name, where, error=f"the shard cannot be read: {places.reason(error, where)}")


def in_table(word: str, path: Path) -> Iterator[Row]:
    """A row for each path of a table on the disk, relative to its folder unless absolute."""
    with path.open("rb") as file:
        for name in paths_in(file, word):
            if not name:
                yield Row("", "", error="the row has no path")
            elif places.protocol(name):
                yield Row(name, name)
            else:
                yield Row(name, str(path.parent.absolute() / portable(name, path.parent)))


def portable(name: str, folder: Path) -> str:
    """The path with forward slashes; a table made on Windows works elsewhere."""
    return name.replace("\\", "/") if "\\" in name and not (folder / name).exists() else name


def elsewhere(word: str) -> Iterator[Row]:
    """The rows of an address: of a folder, a pattern, a table, a shard or an image."""
    try:
        system, path = places.open_place(word)
        on_web = places.protocol(word) in places.WEB
        if not on_web and glob.has_magic(path):
            for found in sorted(system.glob(path)):
                yield from at_addresses(system, files_at(system, found))
        elif word.lower().endswith(NAMED_SUFFIXES):
            with places.reading(word) as file:
                base = word.rpartition("/")[0]
                for name in paths_in(file, word):
                    absolute = places.protocol(name) is not None
                    yield Row(name, name if absolute else f"{base}/{name.replace(os.sep, '/')}")
        elif on_web and not word.endswith("/"):  # what it is would be told by nothing but its content
            yield from in_shard(word, word) if word.lower().endswith(SUFFIX) else [Row(word, word)]
        else:
            yield from at_addresses(system, files_at(system, path))
    except CorollaError:
        raise
    except FileNotFoundError:
        raise CorollaError(f"there is no {word}") from None
    except Exception as error:
        raise CorollaError(f"cannot list {word}: {places.reason(error, word)}") from None


def files_at(system: Any, path: str) -> Iterator[dict[str, Any]]:
    """The file that lies there, or all below the folder."""
    entry = {} if path.endswith("/") else system.info(path)
    if not entry or entry["type"] == "directory":
        yield from places.files_below(system, path)
    else:
        yield entry


def at_addresses(system: Any, entries: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """A row for each file of a listing, and for a shard those of its members."""
    for entry in entries:
        where, size = str(system.unstrip_protocol(entry["name"])), entry.get("size")
        known = size if isinstance(size, int) else -1
        yield from in_shard(where, where, known) if where.lower().endswith(SUFFIX) else [Row(where, where, 0, known)]


@contextmanager
def opened(where: str, size: int = -1) -> Iterator[Any]:
    """The file at a path or an address."""
    if places.protocol(where):
        with places.reading(where, size) as file:
            yield file
    else:
        with Path(where).open("rb") as file:
            yield file


def identity(word: str) -> str:
    """What a word means wherever the command is given from, and for a table what is in it."""
    whole = absolute(word)
    if places.protocol(word) or not word.lower().endswith(NAMED_SUFFIXES) or not Path(whole).is_file():
        return whole
    return f"{whole} {sha256_of(Path(whole))}"


def absolute(word: str) -> str:
    """The word as it means the same in any folder."""
    return word if places.protocol(word) else str(Path(word).absolute())


def check_there(words: Iterable[str]) -> None:
    """`CorollaError` if a folder, a shard or a place that images are read from has vanished while they were."""
    for word in words:
        kind = places.protocol(word)
        if kind in places.WEB:
            continue  # one address of the web is one image, and its row says what was wrong
        try:
            if kind is not None and kind not in places.LOCAL:
                there = glob.has_magic(word) or places.is_there(word)
            else:
                path = local_path(word)
                empty = path.is_dir() and not any(path.iterdir())  # where something was mounted
                there = (path.exists() and not empty) or glob.has_magic(str(path))
        except CorollaError:
            raise
        except Exception as error:
            raise CorollaError(f"cannot reach {word} any more: {places.reason(error, word)}") from None
        if not there:
            raise CorollaError(f"{word} is not there any more; bring it back")
