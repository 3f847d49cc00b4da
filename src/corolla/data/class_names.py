"""Finds names for numeric class labels in a file beside the table: a list, a table or a JSON object."""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from corolla.errors import CorollaError, few
from corolla.inputs.tree import list_entries

_STEMS = {"classes", "class_names", "classnames", "labels", "label_names", "labelnames", "names", "categories"}
_STEMS |= {"class_list", "label_map", "labelmap", "id2label", "label_num_to_disease_map", "cat_to_name", "synsets"}
_SUFFIXES = {".txt", ".csv", ".tsv", ".json", ".names", ".labels", ""}
_LARGEST = 1_000_000  # bytes; larger files are not read


def names_beside(table: Path, numbers: Collection[str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The name of each of the `numbers` that a table has as labels, and notes for the user.

    No names if no file beside the table names all of them, or if the names are ambiguous.
    """
    found = [
        (file.name, {number: names[number] for number in numbers})
        for file in _candidates(table)
        for names in _readings(file)
        if all(number in names for number in numbers)
    ]
    told = f"the classes of {table.name} are numbers"
    if not found:
        return {}, (f"{told}; to name them, put a file names.txt beside it, one name per line from number 0",)
    (source, names), others = found[0], [names for _, names in found[1:]]
    if any(other != names for other in others):
        files = few(dict.fromkeys(name for name, _ in found))
        return {}, (f"{told}; {files} can be read in two ways, so the classes stay numbers",)
    first = min(numbers, key=int)
    return names, (f"{told}, and their names are from {source}: {first} is {names[first]}",)


def _candidates(table: Path) -> Iterator[Path]:
    try:
        files = list_entries(table.parent)[1]
    except CorollaError:
        return
    for file in files:
        named = file.stem.lower() in _STEMS and file.suffix.lower() in _SUFFIXES
        if named and file != table and file.stat().st_size <= _LARGEST:
            yield file


def _readings(file: Path) -> Iterator[dict[str, str]]:
    """The possible names by number: several if the file could count from 0 or from 1."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return
    if file.suffix.lower() == ".json":
        yield from _from_json(text)
    elif file.suffix.lower() in (".csv", ".tsv"):
        yield from _from_cells([*csv.reader(text.splitlines(), delimiter="\t" if file.suffix == ".tsv" else ",")])
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        cells = [line.replace(",", " ").replace(":", " ").split(None, 1) for line in lines]
        numbered = {c[0]: c[1].strip() for c in cells if len(c) == 2 and c[0].isdecimal()}
        if len(numbered) == len(lines):
            yield numbered
        elif len(set(lines)) == len(lines):
            yield from _counted(lines)


def _from_json(text: str) -> Iterator[dict[str, str]]:
    try:
        content = json.loads(text)
    except ValueError:
        return
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        yield from _counted(content)
    elif isinstance(content, dict):
        pairs = content.items()
        if all(key.isdecimal() and isinstance(value, str) for key, value in pairs):
            yield dict(content)
        elif all(isinstance(value, int) for value in content.values()):
            yield {str(value): key for key, value in pairs}


def _from_cells(rows: Sequence[Sequence[str]]) -> Iterator[dict[str, str]]:
    """A table of numbers and names: the first numeric and the first text column without repeated values."""
    body = [row for row in rows[1:] if any(row)]
    width = min(map(len, body), default=0)
    columns = [[row[place].strip() for row in body] for place in range(width)]
    distinct = [column for column in columns if len(set(column)) == len(column)]
    numbers = next((column for column in distinct if all(cell.isdecimal() for cell in column)), None)
    names = next((column for column in distinct if not any(cell.isdecimal() for cell in column)), None)
    if numbers and names:
        yield dict(zip(numbers, names, strict=True))


def _counted(names: Sequence[str]) -> Iterator[dict[str, str]]:
    for start in (0, 1):
        yield {str(number): name for number, name in enumerate(names, start)}
