"""Reads tables of image paths, CSV or Parquet, row by row: needs no labels, and little memory for millions of rows."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from corolla.data.table_columns import plain
from corolla.data.vocabulary import PATH_NAMES
from corolla.errors import CorollaError
from corolla.onnx_runtime.backends import needed

ROWS = 10_000  # rows of a Parquet file per batch


def paths_in(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths of the open table `name`, in order and unchanged; `CorollaError` if it is not a table of paths."""
    yield from (parquet_paths if name.lower().endswith(".parquet") else text_paths)(file, name)


def text_paths(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths of a text table with any column separator."""
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # Excel starts with a byte order mark
    try:
        header = lines.readline(1 << 20)
        delimiter = max(",;\t", key=header.count)
        place = column(next(csv.reader([header], delimiter=delimiter), []), name)[0]
        for cells in csv.reader(lines, delimiter=delimiter):
            if any(cells):
                yield cells[place].strip() if place < len(cells) else ""
    except UnicodeDecodeError:
        raise CorollaError(f"{name} is not UTF-8; save it as 'CSV UTF-8'") from None
    except csv.Error as error:
        raise CorollaError(f"cannot read {name}: {error}") from None
    finally:
        lines.detach()  # the caller closes the file


def parquet_paths(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths of a Parquet file."""
    pa, pq = needed("pyarrow", "parquet"), needed("pyarrow.parquet", "parquet")
    try:
        table = pq.ParquetFile(file)
        wanted = column(table.schema_arrow.names, name)[1]
        kind = table.schema_arrow.field(wanted).type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind):
            raise CorollaError(f"{name}: the column {wanted!r} holds {kind}, not text")
        for batch in table.iter_batches(ROWS, columns=[wanted]):
            yield from ("" if value is None else str(value).strip() for value in batch.column(0).to_pylist())
    except pa.ArrowException as error:
        raise CorollaError(f"cannot read {name}: {str(error).splitlines()[0]}") from None


def column(header: list[str], name: str) -> tuple[int, str]:
    """The index and the name of the path column."""
    places = {plain(title): place for place, title in reversed(list(enumerate(header)))}
    for wanted in map(plain, PATH_NAMES):
        if wanted in places:
            return places[wanted], header[places[wanted]]
    shown = ", ".join(title.strip() for title in header) or "none"
    raise CorollaError(f"{name} has no path column; name one of its columns 'path' (it has {shown})")
