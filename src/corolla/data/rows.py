"""The rows of a table in a file: CSV, TSV, text with spaces, JSON Lines or Parquet, with or without column names."""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from corolla.data.table_columns import Columns, class_of, guessed_columns, named_columns
from corolla.errors import CorollaError
from corolla.inputs.tables import (
    NAMED_SUFFIXES,
    PARQUET,
    csv_rows,
    delimiter_of,
    parquet_cells,
    parquet_names,
    text_in,
)
from corolla.inputs.tree import IMAGE_SUFFIXES

SUFFIXES = (*NAMED_SUFFIXES, ".txt", ".jsonl")
SAMPLE = 50  # rows that are read to recognize the columns of a table
_SPACED = re.compile(rf"(.*?\.(?:{'|'.join(ending[1:] for ending in sorted(IMAGE_SUFFIXES))}))\s+(.*)", re.IGNORECASE)


class Row(NamedTuple):
    """The cells of a row, "" for missing columns, and what is wrong with it."""

    path: str
    label: str
    split: str
    group: str
    note: str
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """A table and the positions of its columns."""

    file: Path
    columns: Columns
    width: int = 0  # of the header; 0 without one
    between: str = ","  # " " for any white space, "  " for white space after the path only

    def rows(self) -> Iterator[Row]:
        """Iterate over the rows from the first."""
        places = [*self.columns.places.values()]
        if self.file.suffix.lower() == PARQUET:
            yield from itertools.starmap(Row, parquet_cells(self.file, self.file, lambda _: places))
            return
        for cells in itertools.islice(_cells(self.file, self.between), 1 if self.width else 0, None):
            path, label, split, group, note = (
                cells[place].strip() if place is not None and place < len(cells) else "" for place in places
            )
            fault = ""
            if self.columns.classes:
                label, fault = class_of(cells, self.columns.classes)
            if self.width and any(cell.strip() for cell in cells[self.width :]):
                fault = f"the row has {len(cells)} cells and the header {self.width}"
            yield Row(path, label, split, group, note, fault)


def open_table(file: Path) -> Table:
    """Recognize the format and columns of a table; `CorollaError` if it is unreadable or its columns are unclear."""
    if file.suffix.lower() == PARQUET:
        names = parquet_names(file)
        return Table(file, named_columns(names, [], file), len(names))
    between = _between(file)
    sample = list(itertools.islice(_cells(file, between), SAMPLE))
    header = sample[0] if sample else []
    try:
        return Table(file, named_columns(header, sample[1:], file), len(header), between)
    except CorollaError:
        if between == " " and len({*map(len, sample)}) > 1:  # names of several words
            between = "  "
            sample = list(itertools.islice(_cells(file, between), SAMPLE))
        columns = guessed_columns(sample, file.parent)
        if columns is None:
            raise
    return Table(file, columns, 0, between)


def _between(file: Path) -> str:
    """The separator of a text file; " " for white space."""
    if file.suffix.lower() == ".jsonl":
        return ","
    with _opened(file) as text:
        first = next((line for line in text if line.strip()), "")
    best = delimiter_of(first)
    return best if best in first or not first.split()[1:] else " "


def _cells(file: Path, between: str) -> Iterator[list[str]]:
    """The rows of a text, without empty ones."""
    with _opened(file) as text:
        if file.suffix.lower() == ".jsonl":
            yield from _objects(text, file)
            return
        if between in (" ", "  "):
            most = 1 if between == "  " else -1
            for line in map(str.strip, text):
                if line:
                    spaced = _SPACED.fullmatch(line)
                    yield (
                        [spaced[1], *spaced[2].split(None, most - 1 if most > 0 else -1)]
                        if spaced
                        else line.split(None, most)
                    )
            return
        yield from csv_rows(text, between, file)


def _objects(text: TextIO, file: Path) -> Iterator[list[str]]:
    """The keys of the first object of JSON Lines as a header, then the values of each object; skips nested values."""
    names: list[str] = []
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise CorollaError(f"{file}, line {number}: it is not a JSON object")
        if not names:
            names = [*content]
            yield names
        values = (content.get(name) for name in names)
        yield ["" if value is None or isinstance(value, dict | list) else str(value) for value in values]


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """Open a text file; its errors become a `CorollaError`."""
    try:
        with file.open("rb") as content, text_in(content, file) as text:
            yield text
    except OSError as error:
        raise CorollaError(f"cannot read {file}: {error.strerror}") from None
