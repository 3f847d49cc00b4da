"""Tables that name images, CSV or Parquet, read row by row: labels are not needed, and millions of rows no memory."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from corolla.data.table_columns import PATH_NAMES, plain
from corolla.errors import CorollaError
from corolla.portable.backends import needed

ROWS = 10_000  # of a Parquet file at once


def paths_in(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths of an open table called `name` in its order, as they stand there; `CorollaError` if it is none."""
    yield from (parquet_paths if name.lower().endswith(".parquet") else text_paths)(file, name)


def text_paths(file: BinaryIO, name: str) -> Iterator[str]:
    """Those of a table of text, whatever stands between its columns."""
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # Excel begins with a byte order mark
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
        lines.detach()  # whoever opened the file closes it


def parquet_paths(file: BinaryIO, name: str) -> Iterator[str]:
    """Those of a Parquet file."""
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
    """Where the paths stand, and what that column is called."""
    places = {plain(title): place for place, title in reversed(list(enumerate(header)))}
    for wanted in map(plain, PATH_NAMES):
        if wanted in places:
            return places[wanted], header[places[wanted]]
    shown = ", ".join(title.strip() for title in header) or "none"
    raise CorollaError(f"{name} has no path column; name one of its columns 'path' (it has {shown})")
