"""Reads a table of images and their classes, or one table for each split.

The columns are path and label, and optionally split (train, val or test), group (images that must stay in one split)
and note; `corolla.data.table_columns` lists the accepted names. Instead of a label, there may be a column of 0 and 1
for each class.

Paths are relative to the table's folder, or absolute; if nothing is there, they are searched for in the current
folder and by name in the subfolders of the table's folder (see `corolla.data.locating`). Numeric labels get
their names from a file of class names beside the table. If only some rows have a split, the others are
left out, with their note as the reason.
"""

import itertools
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from pathlib import Path, PurePosixPath

from corolla.data.class_names import names_beside
from corolla.data.listing import SPLIT_WORDS, RawDataset, class_name, classes_by_split
from corolla.data.locating import LostError, Places, places_of, portable
from corolla.data.manifest import Example, Skipped
from corolla.data.rows import SAMPLE, SUFFIXES, Row, Table, open_table
from corolla.errors import CorollaError, few

LEFT_OUT = "left out by the table"  # start of the reason for such a row
_ASKED = re.compile("sample.?submission|^submission", re.IGNORECASE)


@dataclass
class _Read:
    """The rows read so far."""

    root: Path
    names: Mapping[str, str]  # from a numeric label to its name
    examples: dict[str, Example] = field(default_factory=dict)
    left_out: list[Skipped] = field(default_factory=list)
    misplaced: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class _Facts:
    """The result of a first pass over all rows."""

    places: Places
    has_splits: bool
    numbers: frozenset[str] | None  # the labels, if all are numbers


def read_table(file: Path) -> RawDataset:
    """List the images that a table names; none is opened yet.

    Rows are read one by one, and repeated strings are stored once. Raises `CorollaError` if the table cannot
    be read, lacks a path or label column, uses an unknown split, or gives one image two labels, splits or groups.
    """
    return read_tables({"": file})


def read_tables(files: Mapping[str, Path]) -> RawDataset:
    """Read one table for each split; a table's own split column takes precedence.

    The paths of each table are relative to its folder, and the paths of the listing to the common parent folder.
    """
    opened = [(split, open_table(file)) for split, file in files.items()]
    tables = [(split, table, _facts(table)) for split, table in opened]
    names, notes = _names(tables[0][1], [facts for _, _, facts in tables])
    for guess in dict.fromkeys(table.columns.guess for _, table, _ in tables if table.columns.guess):
        those = few(table.file.name for _, table, _ in tables if table.columns.guess == guess)
        notes.append(f"without a header line, {guess} ({those}); add a first line such as path,label to change it")
    for column in dict.fromkeys(table.columns.together for _, table, _ in tables if table.columns.together):
        notes.append(f"to keep each {column} in one split, rename that column to group")
    for table in (table for _, table, _ in tables if table.columns.classes):
        told = few(table.columns.classes.values())
        notes.append(f"the classes of {table.file.name} are its columns of 0 and 1: {told}")
    read = _Read(Path(os.path.commonpath([table.file.parent for _, table, _ in tables])), names)
    for split, table, facts in tables:
        notes += facts.places.notes
        number = 0
        for number, row in enumerate(table.rows(), start=1):
            _add(read, table, facts, number, row, split)
        if not number:
            raise CorollaError(f"{table.file} has no rows")
    ordered = tuple(sorted(read.examples.values(), key=attrgetter("path")))
    return RawDataset(
        read.root,
        ordered,
        classes_by_split(ordered),
        tuple(read.misplaced),
        tuple(read.left_out),
        notes=tuple(dict.fromkeys(notes)),
    )


def is_table(file: Path) -> bool:
    """Whether a file is a table with a path and a label column, or a list of paths whose folders are the labels."""
    try:
        open_table(file)
    except CorollaError:
        return False
    return True


def labels_sampled(file: Path) -> list[tuple[str, str]]:
    """The file and the label of the first rows whose image exists."""
    table = open_table(file)
    facts = _facts(table, SAMPLE)
    names, found = _names(table, [facts])[0], []
    for row in itertools.islice(table.rows(), SAMPLE):
        try:
            path = facts.places.locate(portable(row.path, file.parent))
        except LostError:
            continue
        if (file.parent / path).is_file():
            found.append((path, _label(row, path, table, names)))
    return found


def _facts(table: Table, most: int | None = None) -> _Facts:
    """The facts of all rows, or of the first `most`."""
    has_splits, sample, labels = False, list[str](), set[str]()
    for row in itertools.islice(table.rows(), most):
        has_splits = has_splits or bool(row.split)
        if len(sample) < SAMPLE and row.path:
            sample.append(portable(row.path, table.file.parent))
        labels.add(row.label if row.label.isdecimal() or not row.label else "a name")
    numbers = frozenset(labels - {""})
    places = places_of(sample, table.file.parent, table.file.name)
    return _Facts(places, has_splits, numbers if numbers and "a name" not in numbers else None)


def _names(table: Table, facts: Sequence[_Facts]) -> tuple[Mapping[str, str], list[str]]:
    """The class names of all tables, if all their labels are numbers, and notes for the user."""
    numbers = frozenset[str]()
    for each in facts:
        if each.numbers is None:
            return {}, []
        numbers |= each.numbers
    names, notes = names_beside(table.file, numbers)
    return names, [*notes]


def _add(read: _Read, table: Table, facts: _Facts, number: int, row: Row, split: str) -> None:
    """Add one row."""
    file = table.file
    if row.fault or not row.path:
        read.misplaced.append(Skipped(f"row {number} of {file.name}", row.fault or "the row has no path"))
        return
    path = portable(row.path, file.parent)
    try:
        path = facts.places.locate(path)
    except LostError as error:
        read.misplaced.append(Skipped(path, f"{error} (row {number} of {file.name})"))
        return
    if file.parent != read.root:  # a table in its split folder
        path = (file.parent.relative_to(read.root) / path).as_posix()
    label = _label(row, path, table, read.names)
    if facts.has_splits and not row.split:
        reason = LEFT_OUT + (f": {row.note}" if row.note else "")
        read.left_out.append(Skipped(path, sys.intern(reason), label))
        return
    if not label:
        read.misplaced.append(Skipped(path, "the row has no label"))
        return
    example = Example(path, label, _split(row.split, file, number) or split, sys.intern(row.group))
    before = read.examples.setdefault(path, example)
    if before != example:
        raise CorollaError(
            f"{file}, row {number}: {path} is listed twice, as {_described(before)} and as {_described(example)}; "
            "corolla gives an image one label, one split and one group, so remove one row"
        )


def _label(row: Row, path: str, table: Table, names: Mapping[str, str]) -> str:
    if not table.columns.labeled:
        return _class(PurePosixPath(path).parent.name)
    return _class(names.get(row.label, row.label))


@lru_cache(maxsize=2**16)
def _class(word: str) -> str:
    """The class name: one string object for all its rows."""
    return sys.intern(class_name(word))


def _split(word: str, table: Path, number: int) -> str:
    if not word:
        return ""
    if word.lower() not in SPLIT_WORDS:
        raise CorollaError(f"{table}, row {number}: unknown split {word!r}; use train, val or test")
    return SPLIT_WORDS[word.lower()]


def _described(example: Example) -> str:
    said = f"{example.label!r}" + (f" in {example.split}" if example.split else "")
    return said + (f" of group {example.group!r}" if example.group else "")


def tables_in(files: Iterable[Path]) -> list[Path]:
    """The files that are tables of images, without sample submissions of competitions."""
    return [
        file for file in files if file.suffix.lower() in SUFFIXES and not _ASKED.search(file.stem) and is_table(file)
    ]
