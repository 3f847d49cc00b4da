"""Reads the cells of tables from open files row by row, and the path column of CSV, TSV and Parquet tables.

Any size of table needs little memory. `corolla.data.rows` reads labeled tables with the same functions.
"""

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from corolla.errors import CorollaError, first_line, needed

NAMED_SUFFIXES = (".csv", ".tsv", ".parquet")  # of tables that usually have a header
PARQUET = ".parquet"
PATH_NAMES = (  # what a column of paths may be called; the first that occurs is taken
    *("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path", "img", "image_name"),
    *("img_name", "image_id", "img_id", "id", "filepaths", "id_code"),
)
_ROWS = 10_000  # rows of a Parquet file in memory at a time
_LONGEST_LINE = 1 << 20  # characters of a header


def paths_in(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths of the open table `name`, in order and unchanged, "" for an empty cell.

    The table has a header; `PATH_NAMES` lists the accepted names of the column. Raises `CorollaError` if there is no
    such column or the file is no table.
    """
    if name.lower().endswith(PARQUET):
        yield from (cell for (cell,) in parquet_cells(file, name, lambda names: [path_column(names, name)]))
        return
    with text_in(file, name) as text:
        header = text.readline(_LONGEST_LINE)
        rows = csv_rows(itertools.chain([header], text), delimiter_of(header), name)
        place = path_column(next(rows, []), name)
        yield from (cells[place].strip() if place < len(cells) else "" for cells in rows)


def path_column(header: Sequence[str], table: str) -> int:
    """The position of the path column; `CorollaError` without one."""
    place = find_column(header, PATH_NAMES)
    if place is None:
        raise no_column(table, "path", header)
    return place


def find_column(header: Sequence[str], names: Iterable[str]) -> int | None:
    """The position of the first of `names` that occurs in the header, in any case and spelling (`File Name`)."""
    places = {plain(title): place for place, title in reversed(list(enumerate(header)))}
    return next((places[plain(name)] for name in names if plain(name) in places), None)


def no_column(table: object, wanted: str, header: Iterable[str]) -> CorollaError:
    """The error of a table that lacks the column `wanted`."""
    shown = ", ".join(title.strip() for title in header) or "none"
    return CorollaError(f"{table} has no {wanted} column; name one of its columns {wanted!r} (it has {shown})")


def plain(name: str) -> str:
    """A name reduced to letters and digits, in lower case, for comparison."""
    return "".join(filter(str.isalnum, name.lower()))


def with_slashes(path: str, folder: Path) -> str:
    """A path in a table of `folder` with forward slashes; a table made on Windows works elsewhere."""
    return path.replace("\\", "/") if "\\" in path and not (folder / path).exists() else path


@contextmanager
def text_in(file: BinaryIO, name: object) -> Iterator[TextIO]:
    """The open file as text; `CorollaError` where it is not UTF-8."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # Excel starts with a byte order mark
    try:
        yield text
    except UnicodeDecodeError:
        raise CorollaError(f"{name} is not UTF-8; save it as 'CSV UTF-8'") from None
    finally:
        text.detach()  # the caller closes the file


def delimiter_of(line: str) -> str:
    """The delimiter in the first line of a table; Excel writes ; in locales where the comma is the decimal sign."""
    return max(",;\t", key=line.count)


def csv_rows(lines: Iterable[str], delimiter: str, name: object) -> Iterator[list[str]]:
    """The rows of delimited text, without empty ones."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield from (cells for cells in reader if any(cells))
    except csv.Error as error:
        raise CorollaError(f"{name}, line {reader.line_num}: {error}") from None


@contextmanager
def open_parquet(source: Path | BinaryIO, name: object) -> Iterator[Any]:
    """The Parquet file; its errors become a `CorollaError`."""
    pa = needed("pyarrow", "parquet", f"reading {name}", ", or save it as CSV")
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as content:
            yield content
    except (pa.ArrowException, OSError) as error:
        raise CorollaError(f"cannot read {name}: {first_line(error)}") from None


def parquet_names(file: Path) -> list[str]:
    """The names of the columns of a Parquet file."""
    with open_parquet(file, file) as content:
        names: list[str] = content.schema_arrow.names
        return names


def parquet_cells(
    source: Path | BinaryIO, name: object, places: Callable[[list[str]], Sequence[int | None]]
) -> Iterator[tuple[str, ...]]:
    """The cells of some columns as text, row by row, "" for an empty cell.

    `places` gets the names of all columns and returns the positions to read; a position that is None gives "".
    """
    with open_parquet(source, name) as content:
        import pyarrow as pa

        schema = content.schema_arrow
        columns = [None if place is None else schema.names[place] for place in places(schema.names)]
        wanted = [column for column in dict.fromkeys(columns) if column is not None]
        for column in wanted:
            kind = schema.field(column).type
            if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                raise CorollaError(f"{name}: the column {column!r} holds {kind}, not text")
        for batch in content.iter_batches(_ROWS, columns=wanted):
            texts = {column: [_text(value) for value in batch.column(column).to_pylist()] for column in wanted}
            yield from zip(*(texts.get(column, [""] * batch.num_rows) for column in columns), strict=True)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
