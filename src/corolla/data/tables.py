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
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from corolla.data.listing import SPLIT_WORDS, Listing, class_name, classes_by_split
from corolla.data.manifest import Example, Skipped
from corolla.errors import CorollaError

PATH_NAMES = ("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path", "img")
LABEL_NAMES = ("label", "class", "class_name", "category", "target")
OPTIONAL_NAMES = ("split", "group", "note")
SUFFIXES = (".csv", ".tsv", ".parquet")
LEFT_OUT = "left out by the table"  # how the reason of such a row begins

_Row = dict[str, str]  # the columns path, label, split, group, note; "" where the table has none


def read_table(table: Path) -> Listing:
    """List the pictures that a table names; none is opened yet.

    Raises `CorollaError` if the table cannot be read, lacks a path or label column, uses an unknown split, or
    gives one picture two labels or two splits.
    """
    rows = list(_parquet_rows(table) if table.suffix.lower() == ".parquet" else _text_rows(table))
    root = table.parent
    has_splits = any(row["split"] for row in rows)
    examples: dict[str, Example] = {}
    left_out: list[Skipped] = []
    misplaced: list[Skipped] = []
    for number, row in enumerate(rows, start=1):
        where = f"{table}, row {number}"
        if not row["path"]:
            misplaced.append(Skipped(f"row {number} of {table.name}", "the row has no path"))
            continue
        path = _portable(row["path"], root)
        if has_splits and not row["split"]:
            reason = LEFT_OUT + (f": {row['note']}" if row["note"] else "")
            left_out.append(Skipped(path, reason, class_name(row["label"])))
            continue
        if not row["label"]:
            misplaced.append(Skipped(path, "the row has no label"))
            continue
        example = Example(path, class_name(row["label"]), _split(row["split"], where), row["group"])
        before = examples.setdefault(path, example)
        if (before.label, before.split) != (example.label, example.split):
            raise CorollaError(
                f"{where}: {path} is listed twice, as {_described(before)} and as {_described(example)}; "
                "corolla gives a picture one label and one split, so remove one row"
            )
    if not rows:
        raise CorollaError(f"{table} has no rows")
    ordered = tuple(sorted(examples.values(), key=lambda example: example.path))
    return Listing(root, ordered, classes_by_split(ordered), tuple(misplaced), tuple(left_out))


def has_needed_columns(table: Path) -> bool:
    """Whether a table has a path and a label column."""
    try:
        next(iter(_parquet_rows(table) if table.suffix.lower() == ".parquet" else _text_rows(table)), None)
    except CorollaError:
        return False
    return True


def _text_rows(table: Path) -> Iterator[_Row]:
    try:
        text = table.read_text(encoding="utf-8-sig")  # -sig: Excel begins its UTF-8 with a byte order mark
    except UnicodeDecodeError:
        raise CorollaError(f"{table} is not UTF-8; save it as 'CSV UTF-8'") from None
    except OSError as error:
        raise CorollaError(f"cannot read {table}: {error.strerror}") from None
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)  # Excel writes ; where the comma is the decimal sign
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = _columns(next(reader, []), table)
        for cells in reader:
            if any(cells):
                yield {
                    name: cells[place].strip() if place is not None and place < len(cells) else ""
                    for name, place in columns.items()
                }
    except csv.Error as error:
        raise CorollaError(f"{table}, line {reader.line_num}: {error}") from None


def _parquet_rows(table: Path) -> Iterator[_Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise CorollaError(
            f"reading {table} needs pyarrow: pip install 'corolla[parquet]', or save it as CSV"
        ) from None
    try:
        names = pq.read_schema(table).names
        columns = _columns(names, table)
        content = pq.read_table(table, columns=[names[place] for place in columns.values() if place is not None])
    except (pa.ArrowException, OSError) as error:
        raise CorollaError(f"cannot read {table}: {str(error).splitlines()[0]}") from None
    cells: dict[str, Iterable[str]] = {}
    for name, place in columns.items():
        if place is None:
            cells[name] = itertools.repeat("", content.num_rows)
            continue
        column = content.column(names[place])
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise CorollaError(f"{table}: the column {names[place]!r} holds {column.type}, not text")
        cells[name] = ("" if value is None else str(value).strip() for value in column.to_pylist())
    for values in zip(*cells.values(), strict=True):
        yield dict(zip(cells, values, strict=True))


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


def _split(word: str, where: str) -> str:
    if not word:
        return ""
    if word.lower() not in SPLIT_WORDS:
        raise CorollaError(f"{where}: unknown split {word!r}; use train, val or test")
    return SPLIT_WORDS[word.lower()]


def _portable(path: str, root: Path) -> str:
    """The path with forward slashes, without a leading `./`; a table made on Windows works elsewhere."""
    if "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    return str(PurePosixPath(path))


def _described(example: Example) -> str:
    return f"{example.label!r}" + (f" in {example.split}" if example.split else "")
