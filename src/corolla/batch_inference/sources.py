"""Turns the arguments of `corolla predict RUN` into rows, one per image, as a stream.

An argument is a folder (everything below it, sorted), a pattern, an image, a tar shard, a table of paths, or an address
of any of them. A tar always stands for its images. An argument without a match is an error; a single
unreadable image becomes a row with the reason.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corolla.batch_inference import remote_fs as places
from corolla.batch_inference.path_tables import paths_in
from corolla.batch_inference.shards import SUFFIX, members
from corolla.cache import sha256_of
from corolla.data.rows import NAMED_SUFFIXES
from corolla.data.tree import files_below
from corolla.errors import CorollaError


@dataclass(frozen=True)
class Row:
    """One image: its name in the table, the full path or address of its file, and its position in that file."""

    name: str
    where: str
    start: int = 0
    size: int = -1  # -1 for the rest of the file
    error: str = ""  # why it is not read


def rows_of(words: Iterable[str]) -> Iterator[Row]:
    """A row for each image of `words`, in order; `CorollaError` for a word without images."""
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
    """Raise `CorollaError` for a local word that does not exist; remote ones are not checked."""
    if word == "-":
        raise CorollaError("standard input cannot be read twice; write the paths into a table, and give that")
    if is_local(word) and not local_path(word).exists() and not glob.has_magic(str(local_path(word))):
        raise CorollaError(f"there is no {word}; give a folder, a pattern, a table, shards or an address of them")


def is_local(word: str) -> bool:
    """Whether a word is a local path."""
    return places.protocol(word) in (None, *places.LOCAL)


def local_path(word: str) -> Path:
    """The path of a local word, also for a `file://` address."""
    return Path(places.open_place(word)[1]) if places.protocol(word) in places.LOCAL else Path(word)


def in_files(files: Iterable[Path]) -> Iterator[Row]:
    """A row for each file, and for each member of a shard."""
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
        elif on_web and not word.endswith("/"):  # only its content would show what it is
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
    """The file at a path, or all files below the folder."""
    entry = {} if path.endswith("/") else system.info(path)
    if not entry or entry["type"] == "directory":
        yield from places.files_below(system, path)
    else:
        yield entry


def at_addresses(system: Any, entries: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """A row for each file of a listing, and for each member of a shard."""
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
    """An identifier of a word, independent of the working folder; for a table, with a hash of its content."""
    whole = absolute(word)
    if places.protocol(word) or not word.lower().endswith(NAMED_SUFFIXES) or not Path(whole).is_file():
        return whole
    return f"{whole} {sha256_of(Path(whole))}"


def absolute(word: str) -> str:
    """The word, independent of the working folder."""
    return word if places.protocol(word) else str(Path(word).absolute())


def check_there(words: Iterable[str]) -> None:
    """Raise `CorollaError` if a folder, a shard or an address has vanished during reading."""
    for word in words:
        kind = places.protocol(word)
        if kind in places.WEB:
            continue  # a web address is one image, and its row has the error
        try:
            if kind is not None and kind not in places.LOCAL:
                there = glob.has_magic(word) or places.is_there(word)
            else:
                path = local_path(word)
                empty = path.is_dir() and not any(path.iterdir())  # an unmounted mount point
                there = (path.exists() and not empty) or glob.has_magic(str(path))
        except CorollaError:
            raise
        except Exception as error:
            raise CorollaError(f"cannot reach {word} any more: {places.reason(error, word)}") from None
        if not there:
            raise CorollaError(f"{word} is not there any more; bring it back")
