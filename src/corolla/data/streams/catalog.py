"""The contents of shards, piece by piece, and the class names of their labels."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corolla.data.listing import class_name
from corolla.data.manifest import SPLITS, Skipped, Split
from corolla.data.progress import Progress
from corolla.data.shards.index import index_of
from corolla.data.shards.samples import LeftOut
from corolla.data.streams.finding import INDEX, ShardFiles, splits_of
from corolla.errors import CorollaError

FORMAT = "corolla shards 1"
_SHARD = re.compile(r"(train|val|test)-\d{5,}\.tar")
_MAX_INDEX = 2**30  # bytes of a shards.json


@dataclass(frozen=True)
class ShardChunk:
    """A part of a file that is read sequentially: a tar, a row group, an Arrow file."""

    path: Path
    number: int
    split: Split | Literal[""]  # "" if no file has a split and none is to be made
    counts: Mapping[str, int]  # number of samples by label
    content: str  # a hash of everything in it except the images
    bytes: int  # approximate size in the file

    @property
    def total(self) -> int:
        """Its samples."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class ShardIndex:
    """All pieces, and the class name of each label."""

    source: str
    pieces: tuple[ShardChunk, ...]
    names: Mapping[str, str]
    misplaced: tuple[Skipped, ...] = ()

    def of(self, split: str) -> list[ShardChunk]:
        """The pieces of one split."""
        return [piece for piece in self.pieces if piece.split == split]

    def classes(self) -> dict[str, frozenset[str]]:
        """The class names in each existing split."""
        found = {split: Counter(word for piece in self.of(split) for word in piece.counts) for split in ("", *SPLITS)}
        return {split: frozenset(self.names[word] for word in words) for split, words in found.items() if words}


def catalog_of(
    found: ShardFiles, progress: Progress | None = None, unsplit: Literal["", "train"] = "train"
) -> ShardIndex:
    """Index every file by headers and labels only; `unsplit` is the split of files without one in their names.

    Raises `CorollaError`, also if no file has a labeled image.
    """
    return written_here(found) if found.written_here else by_others(found, progress, unsplit)


def written_here(found: ShardFiles) -> ShardIndex:
    """The shards listed in `shards.json`, which must exist with the listed sizes."""
    content = read_index(found.folder / INDEX)
    try:
        classes = content["classes"]
        if not all(isinstance(name, str) for name in classes) or sorted(set(classes)) != classes:
            raise ValueError("its classes are not unique and sorted")
        pieces = tuple(shard(found.folder, said, classes) for said in content["shards"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorollaError(f"{found.folder / INDEX} is damaged ({error}); make the shards again") from None
    names = {str(number): name for number, name in enumerate(classes)}
    return ShardIndex(found.source, pieces, names)


def read_index(file: Path) -> dict[str, Any]:
    """The content of a `shards.json`; raises `CorollaError` if it is not one."""
    try:
        if file.stat().st_size > _MAX_INDEX:
            raise ValueError("it is too large")
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
    except OSError as error:
        raise CorollaError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CorollaError(f"{file} is not a list of shards made by `corolla data shard`: {error}") from None
    return content


def shard(folder: Path, said: dict[str, Any], classes: list[str]) -> ShardChunk:
    """One shard of a `shards.json`."""
    name, counts = said["name"], dict(said["counts"])
    split = next((split for split in SPLITS if split == said["split"]), None)
    if split is None or not _SHARD.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a shard")
    place = {label: str(number) for number, label in enumerate(classes)}
    if not all(isinstance(count, int) and count > 0 for count in counts.values()):
        raise ValueError(f"the counts of {name} are not integers")
    path = folder / name
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CorollaError(f"cannot read the shard {path}: {error.strerror}; it belongs to {folder / INDEX}") from None
    if size != said["bytes"]:
        raise CorollaError(f"the shard {path} has {size:,} bytes, but was written with {said['bytes']:,}")
    return ShardChunk(path, 0, split, {place[label]: n for label, n in counts.items()}, str(said["sha256"]), size)


def by_others(found: ShardFiles, progress: Progress | None, unsplit: Literal["", "train"]) -> ShardIndex:
    """Index files without a `shards.json`: each is counted once, and what is unusable is reported."""
    pieces: list[ShardChunk] = []
    misplaced: list[Skipped] = []
    splits = splits_of(found)
    usual = "train" if any(splits.values()) else unsplit
    for done, file in enumerate(found.files, start=1):
        index, where = index_of(file), file.relative_to(found.folder).as_posix()
        if index.fault:
            misplaced.append(Skipped(where, f"{index.fault}; the samples before that are used"))
        misplaced += left_out(index.left, where)
        rows, size = sum(len(piece) for piece in index.pieces), file.stat().st_size
        content = hashlib.sha256(f"{where} {size} {index.digest}".encode()).hexdigest()
        for number, piece in enumerate(index.pieces):
            if len(piece):
                counts = index.counts(number)
                part = size * len(piece) // rows
                pieces.append(ShardChunk(file, number, splits[file] or usual, counts, content, part))
            elif not index.fault and not index.left.counts:
                misplaced.append(Skipped(where, "no sample in it has both an image and a label"))
        if progress:
            progress("indexing", done, len(found.files))
    if not pieces:
        raise CorollaError(nothing_labeled(found, misplaced))
    words = sorted({word for piece in pieces for word in piece.counts})
    return ShardIndex(found.source, tuple(pieces), names_of(words, found), tuple(misplaced))


def left_out(left: LeftOut, where: str) -> Iterator[Skipped]:
    """What a file contains besides its samples: by name if they are few, otherwise a count for each reason."""
    for reason, count in left.counts.items():
        names = left.names[reason]
        if count <= len(names):
            yield from (Skipped(f"{where}: {name}", reason) for name in names)
        else:
            yield Skipped(where, f"{count:,} samples, the first of them {names[0]}: {reason}", count=count)


def nothing_labeled(found: ShardFiles, misplaced: Sequence[Skipped]) -> str:
    """The error for files without a single labeled image."""
    said = f"{found.source} has no image with a class"
    if misplaced:
        said += (
            f"; the first of {sum(s.count for s in misplaced):,} left out is {misplaced[0].path}: {misplaced[0].reason}"
        )
    if found.files[0].suffix == ".tar":
        said += (
            "; a tar is read as WebDataset writes it, KEY.jpg beside KEY.cls: if the folders in it are the classes, "
            "unpack it and give the folder"
        )
    return said


def names_of(words: Sequence[str], found: ShardFiles) -> dict[str, str]:
    """The class name of each label; numbers are looked up in `classes.txt` or the file's own list, if any."""
    listed = listed_names(found)
    numbers = {word: int(word) for word in words if word.isdecimal() and len(word) < 10}
    if not listed or len(numbers) < len(words):
        return {word: class_name(word) for word in words}
    if too_large := [word for word, number in numbers.items() if number >= len(listed)]:
        raise CorollaError(f"{found.source} has a class {too_large[0]}, but only {len(listed)} names, from 0 on")
    return {word: class_name(listed[number]) for word, number in numbers.items()}


def listed_names(found: ShardFiles) -> list[str]:
    """The class names by number, if a file lists them."""
    file = found.folder / "classes.txt"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CorollaError(f"cannot read {file}: {error}") from None
    if found.files[0].suffix == ".tar":
        return []
    from corolla.data.shards.columns import columns_of

    columns = columns_of(found.files[0])
    return list(columns.names) if columns else []
