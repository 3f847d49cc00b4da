"""A CSV, TSV or Parquet file that names pictures and their classes.

Columns are found by name, in any case and order (the first name that occurs in the table is taken):

- path: `path`, `filepath`, `file_path`, `filename`, `file_name`, `file`, `image`, `image_path`, `img`
- label: `label`, `class`, `class_name`, `category`, `target`
- optional `split` (train, val, valid, validation or test), `group` (pictures that must stay on one side) and
  `note`.

No other column is ever taken for a group. Paths are relative to the table's folder, or absolute. Where some
rows have a split and others have none, those others are left out, with their note as the reason.
"""

import csv
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from corolla.data.listing import SPLIT_WORDS, Listing, class_name, classes_by_split
from corolla.data.manifest import Example, Skipped
from corolla.errors import CorollaError

PATH_NAMES = ("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path", "img")
LABEL_NAMES = ("label", "class", "class_name", "category", "target")
OPTIONAL_NAMES = ("split", "group", "note")
SUFFIXES = (".csv", ".tsv", ".parquet")
LEFT_OUT = "left out by the table"  # how the reason of such a row begins


class _Row(NamedTuple):
    """The cells of a row, "" where the table has none."""

    path: str
    label: str
    split: str
    group: str
    note: str


def read_table(table: Path) -> Listing:
    """List the pictures that a table names; none is opened yet.

    Rows are taken one after another, and words that they share are kept once. Raises `CorollaError` if the table cannot
    be read, lacks a path or label column, uses an unknown split, or gives one picture two labels or two splits.
    """
    root = table.parent
    has_splits = any(row.split for row in _rows(table))
    examples: dict[str, Example] = {}
    left_out: list[Skipped] = []
    misplaced: list[Skipped] = []
    number = 0
    for number, row in enumerate(_rows(table), start=1):
        if not row.path:
            misplaced.append(Skipped(f"row {number} of {table.name}", "the row has no path"))
            continue
        path = _portable(row.path, root)
        if has_splits and not row.split:
            reason = LEFT_OUT + (f": {row.note}" if row.note else "")
            left_out.append(Skipped(path, sys.intern(reason), _class(row.label)))
            continue
        if not row.label:
            misplaced.append(Skipped(path, "the row has no label"))
            continue
        example = Example(path, _class(row.label), _split(row.split, table, number), sys.intern(row.group))
        before = examples.setdefault(path, example)
        if (before.label, before.split) != (example.label, example.split):
            raise CorollaError(
                f"{table}, row {number}: {path} is listed twice, as {_described(before)} and as {_described(example)}; "
                "corolla gives a picture one label and one split, so remove one row"
            )
    if not number:
        raise CorollaError(f"{table} has no rows")
    ordered = tuple(sorted(examples.values(), key=attrgetter("path")))
    return Listing(root, ordered, classes_by_split(ordered), tuple(misplaced), tuple(left_out))


def has_needed_columns(table: Path) -> bool:
    """Whether a table has a path and a label column."""
    try:
        check_columns(table)
    except CorollaError:
        return False
    return True


def check_columns(table: Path) -> None:
    """`CorollaError` for a table that cannot be read, or lacks a path or label column."""
    next(_rows(table), None)


def _rows(table: Path) -> Iterator[_Row]:
    return _parquet_rows(table) if table.suffix.lower() == ".parquet" else _text_rows(table)


def _text_rows(table: Path) -> Iterator[_Row]:
    try:
        # -sig: Excel begins its UTF-8 with a byte order mark
        with table.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)  # Excel writes ; where the comma is the decimal sign
            reader = csv.reader(file, delimiter=delimiter)
            try:
                places = [*_columns(next(reader, []), table).values()]
                for cells in reader:
                    if any(cells):
                        yield _Row(*(cells[p].strip() if p is not None and p < len(cells) else "" for p in places))
            except csv.Error as error:
                raise CorollaError(f"{table}, line {reader.line_num}: {error}") from None
    except UnicodeDecodeError:
        raise CorollaError(f"{table} is not UTF-8; save it as 'CSV UTF-8'") from None
    except OSError as error:
        raise CorollaError(f"cannot read {table}: {error.strerror}") from None


def _parquet_rows(table: Path) -> Iterator[_Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise CorollaError(
            f"reading {table} needs pyarrow: pip install 'corolla[parquet]', or save it as CSV"
        ) from None
    try:
        with pq.ParquetFile(table) as file:
            schema = file.schema_arrow
            columns = _columns(schema.names, table)
            wanted = {name: schema.names[place] for name, place in columns.items() if place is not None}
            for column in wanted.values():
                kind = schema.field(column).type
                if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                    raise CorollaError(f"{table}: the column {column!r} holds {kind}, not text")
            for batch in file.iter_batches(columns=list(dict.fromkeys(wanted.values()))):
                cells = (
                    _texts(batch.column(wanted[name])) if name in wanted else itertools.repeat("", batch.num_rows)
                    for name in _Row._fields
                )
                yield from map(_Row, *cells)
    except (pa.ArrowException, OSError) as error:
        raise CorollaError(f"cannot read {table}: {str(error).splitlines()[0]}") from None


def _texts(column: Any) -> Iterator[str]:
    return ("" if value is None else str(value).strip() for value in column.to_pylist())


def _columns(header: Iterable[str], table: Path) -> Mapping[str, int | None]:
    """Where the columns path, label, split, group and note stand."""
    shown = [name.strip() for name in header]
    places = {name.lower(): place for place, name in reversed(list(enumerate(shown)))}
    found: dict[str, int | None] = {}
    for wanted, names in (("path", PATH_NAMES), ("label", LABEL_NAMES)):
        place = next((places[name] for name in names if name in places), None)
        if place is None:
            raise CorollaError(
                f"{table} has no {wanted} column; name one of its columns {wanted!r} "
                f"(it has {', '.join(shown) or 'none'})"
            )
        found[wanted] = place
    return found | {name: places.get(name) for name in OPTIONAL_NAMES}


@lru_cache(maxsize=2**16)
def _class(word: str) -> str:
    """The class's name: one text for all of its rows."""
    return sys.intern(class_name(word))


def _split(word: str, table: Path, number: int) -> str:
    if not word:
        return ""
    if word.lower() not in SPLIT_WORDS:
        raise CorollaError(f"{table}, row {number}: unknown split {word!r}; use train, val or test")
    return SPLIT_WORDS[word.lower()]


def _portable(path: str, root: Path) -> str:
    """The path with forward slashes, without a leading `./`; a table made on Windows works elsewhere."""
    if "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    return str(PurePosixPath(path))


def _described(example: Example) -> str:
    return f"{example.label!r}" + (f" in {example.split}" if example.split else "")
