"""The rows of a table in a file, with or without a line of column names: CSV, TSV, text with spaces, or Parquet.

Columns are found by name, in any case and order; the first name that occurs in the table is taken. No other column is
ever taken for a group. Where there is no line of names, the column that looks like paths is taken for the paths and the
first of the others for the labels, and a note says so.
"""

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from corolla.data.listing import SPLIT_WORDS
from corolla.data.tree import PICTURE_SUFFIXES, named_like_picture
from corolla.errors import CorollaError

PATH_NAMES = (
    *("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path", "img", "image_name"),
    *("img_name", "image_id", "img_id", "id"),
)
LABEL_NAMES = ("label", "class", "class_name", "category", "target", "labels", "class_id", "species", "breed", "dx")
OPTIONAL_NAMES = ("split", "group", "note")
# Names of columns whose images are often of one thing, and would then make the test a memory test.
TOGETHER = (
    "patient",
    "subject",
    "lesion",
    "participant",
    "person",
    "individual",
    "animal",
    "session",
    "sequence",
    "seq",
)
NAMED_SUFFIXES = (".csv", ".tsv", ".parquet")  # of tables whose columns have names as a rule
SUFFIXES = (*NAMED_SUFFIXES, ".txt")
SAMPLE = 50  # rows that are looked at to learn what a table is
_SPACED = re.compile(rf"(.*?\.(?:{'|'.join(ending[1:] for ending in sorted(PICTURE_SUFFIXES))}))\s+(.*)", re.IGNORECASE)


class Row(NamedTuple):
    """The cells of a row, "" where the table has none, and what is wrong with it."""

    path: str
    label: str
    split: str
    group: str
    note: str
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """A table, and where its columns stand."""

    file: Path
    places: Mapping[str, int | None]
    width: int = 0  # of the line of names; 0 where there is none
    between: str = ","  # " " for any white space
    guess: str = ""  # where its columns were found to stand, if nothing names them
    together: str = ""  # a column that may be meant for a group

    @property
    def labelled(self) -> bool:
        """Whether it has labels beside the paths."""
        return self.places["label"] is not None

    def rows(self) -> Iterator[Row]:
        """One after another, from the first."""
        if self.file.suffix.lower() == ".parquet":
            yield from _parquet_rows(self.file, self.places)
            return
        places = [*self.places.values()]
        for cells in itertools.islice(_cells(self.file, self.between), 1 if self.width else 0, None):
            path, label, split, group, note = (
                cells[place].strip() if place is not None and place < len(cells) else "" for place in places
            )
            more = self.width and any(cell.strip() for cell in cells[self.width :])
            fault = f"the row has {len(cells)} cells and the header {self.width}" if more else ""
            yield Row(path, label, split, group, note, fault)


def open_table(file: Path) -> Table:
    """Find out what a table is; `CorollaError` if it cannot be read, or if nobody could say where its columns are."""
    if file.suffix.lower() == ".parquet":
        names = _parquet_names(file)
        return Table(file, _columns(names, file), len(names), together=_together(names))
    between = _between(file)
    sample = list(itertools.islice(_cells(file, between), SAMPLE))
    header = [cell.strip() for cell in sample[0]] if sample else []
    try:
        return Table(file, _columns(header, file), len(header), between, together=_together(header))
    except CorollaError:
        places = _guessed(sample, file.parent)
        if places is None:
            raise
    told = [f"column {place + 1} is taken for the {name}" for name, place in places.items() if place is not None]
    unused = [str(place + 1) for place in range(len(header)) if place not in places.values()]
    if unused:
        told.append(f"column{'s' if len(unused) > 1 else ''} {', '.join(unused)} not used")
    if places["label"] is None:
        told.append("the folder of each image for its class")
    return Table(file, places, 0, between, ", ".join(told))


def _guessed(sample: Sequence[Sequence[str]], root: Path) -> dict[str, int | None] | None:
    """Where the columns of a table without names stand; None for what is no list of images."""
    if not sample:
        return None
    width = min(map(len, sample))
    columns = [[cells[place].strip() for cells in sample] for place in range(width)]

    def paths(column: Sequence[str]) -> int:
        return sum(named_like_picture(cell) or "/" in cell or (root / cell).is_file() for cell in column if cell)

    place = max(range(width), key=lambda place: paths(columns[place]), default=None)
    if place is None or paths(columns[place][:1]) == 0 or paths(columns[place]) <= len(sample) / 2:
        return None
    split = next((p for p in range(width) if all(cell.lower() in SPLIT_WORDS for cell in columns[p])), None)
    label = next((p for p in range(width) if p not in (place, split)), None)
    return {"path": place, "label": label, "split": split, "group": None, "note": None}


def _columns(header: Iterable[str], table: Path) -> dict[str, int | None]:
    """Where the columns path, label, split, group and note stand, by their names."""
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


def _together(header: Sequence[str]) -> str:
    """The column of a table without a group whose name lets one think of one."""
    names = {name.strip().lower().removesuffix("_id").removesuffix("id"): name.strip() for name in header}
    return "" if "group" in names else next((names[name] for name in TOGETHER if name in names), "")


def _between(file: Path) -> str:
    """What separates the cells of a text; Excel writes ; where the comma is the decimal sign."""
    with _opened(file) as text:
        first = next((line for line in text if line.strip()), "")
    best = max(",;\t", key=first.count)
    return best if best in first or not first.split()[1:] else " "


def _cells(file: Path, between: str) -> Iterator[list[str]]:
    """The rows of a text, without empty ones."""
    with _opened(file) as text:
        if between == " ":
            for line in map(str.strip, text):
                if line:
                    spaced = _SPACED.fullmatch(line)
                    yield [spaced[1], *spaced[2].split()] if spaced else line.split()
            return
        reader = csv.reader(text, delimiter=between)
        try:
            yield from (cells for cells in reader if any(cells))
        except csv.Error as error:
            raise CorollaError(f"{file}, line {reader.line_num}: {error}") from None


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """A text file, whose faults become one line."""
    try:
        # -sig: Excel begins its UTF-8 with a byte order mark
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError:
        raise CorollaError(f"{file} is not UTF-8; save it as 'CSV UTF-8'") from None
    except OSError as error:
        raise CorollaError(f"cannot read {file}: {error.strerror}") from None


def _parquet(file: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise CorollaError(f"reading {file} needs pyarrow: pip install 'corolla[parquet]', or save it as CSV") from None
    return pa, pq


def _parquet_names(file: Path) -> list[str]:
    pa, pq = _parquet(file)
    try:
        with pq.ParquetFile(file) as content:
            names: list[str] = content.schema_arrow.names
            return names
    except (pa.ArrowException, OSError) as error:
        raise CorollaError(f"cannot read {file}: {str(error).splitlines()[0]}") from None


def _parquet_rows(file: Path, places: Mapping[str, int | None]) -> Iterator[Row]:
    pa, pq = _parquet(file)
    try:
        with pq.ParquetFile(file) as content:
            schema = content.schema_arrow
            wanted = {name: schema.names[place] for name, place in places.items() if place is not None}
            for column in wanted.values():
                kind = schema.field(column).type
                if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                    raise CorollaError(f"{file}: the column {column!r} holds {kind}, not text")
            for batch in content.iter_batches(columns=list(dict.fromkeys(wanted.values()))):
                cells = (
                    _texts(batch.column(wanted[name])) if name in wanted else itertools.repeat("", batch.num_rows)
                    for name in places
                )
                yield from map(Row, *cells)
    except (pa.ArrowException, OSError) as error:
        raise CorollaError(f"cannot read {file}: {str(error).splitlines()[0]}") from None


def _texts(column: Any) -> Iterator[str]:
    return ("" if value is None else str(value).strip() for value in column.to_pylist())
