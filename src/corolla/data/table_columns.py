"""Finds the columns of a table by their names, or, without a header, by their contents.

Names match in any case, order and spelling (`ClassId` is `class_id`); the first name in the table is used.
No other column is ever used as the group, and a column is the split only if all its values are names of splits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from corolla.data.listing import SPLIT_WORDS
from corolla.data.vocabulary import LABEL_NAMES
from corolla.inputs.tables import PATH_NAMES, find_column, no_column, plain
from corolla.inputs.tree import named_like_image

OPTIONAL_NAMES = ("split", "group", "note")
_SPLIT_NAMES = ("set", "subset", "partition", "dataset", "data_set")
# Names of columns whose images often show the same object, which would leak between the splits.
TOGETHER = (
    *("patient", "subject", "lesion", "participant", "person", "individual", "animal", "session", "sequence", "seq"),
)
_ONE, _ZERO = {"1", "1.0"}, {"0", "0.0"}
_COUNTED = 3  # number of rows from which a column of row numbers is not taken as labels

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Columns:
    """The positions of path, label, split, group and note."""

    places: Mapping[str, int | None]
    classes: Mapping[int, str] = field(default_factory=dict)  # one-hot columns and their class names
    together: str = ""  # a column that may be intended as the group
    guess: str = ""  # the assumed columns as text, if there is no header

    @property
    def labeled(self) -> bool:
        """Whether the table has labels."""
        return self.places["label"] is not None or bool(self.classes)


def named_columns(header: Iterable[str], rows: Rows, table: Path) -> Columns:
    """The columns of a table by its `header` and the first `rows`; `CorollaError` without paths or labels."""
    shown = [name.strip() for name in header]
    places = {plain(name): place for place, name in reversed(list(enumerate(shown)))}
    path = find_column(shown, PATH_NAMES)
    labels = [places[plain(name)] for name in LABEL_NAMES if plain(name) in places]
    optional = {name: places.get(name) for name in OPTIONAL_NAMES}
    if optional["split"] is None:
        found = (places[plain(name)] for name in _SPLIT_NAMES if plain(name) in places)
        optional["split"] = next((place for place in found if _splits(_column(rows, place))), None)
    classes = {} if path is None or labels else _one_hot(shown, rows, {path, *optional.values()})
    if path is None or not (labels or classes):
        raise no_column(table, "path" if path is None else "label", shown)
    label = _names_before_numbers(labels, rows) if labels else None
    together = {name.strip().lower().removesuffix("_id").removesuffix("id"): name.strip() for name in shown}
    hint = "" if "group" in together else next((together[name] for name in TOGETHER if name in together), "")
    return Columns({"path": path, "label": label} | optional, classes, hint)


def guessed_columns(rows: Rows, root: Path) -> Columns | None:
    """The columns of a table without header, by its first `rows`; None if it does not list images in `root`."""
    if not rows:
        return None
    width = min(map(len, rows))
    columns = [[cells[place].strip() for cells in rows] for place in range(width)]

    def paths(column: Sequence[str]) -> int:
        return sum(named_like_image(cell) or "/" in cell or (root / cell).is_file() for cell in column if cell)

    place = max(range(width), key=lambda place: paths(columns[place]), default=None)
    if place is None or paths(columns[place][:1]) == 0 or paths(columns[place]) <= len(rows) / 2:
        return None
    split = next((p for p in range(width) if _splits(columns[p])), None)
    label = next((p for p in range(width) if p not in (place, split) and not _counts(columns[p])), None)
    places = {"path": place, "label": label, "split": split, "group": None, "note": None}
    told = [f"column {place + 1} is the {name}" for name, place in places.items() if place is not None]
    unused = [str(place + 1) for place in range(max(map(len, rows[:1]))) if place not in places.values()]
    if unused:
        told.append(f"column{'s' if len(unused) > 1 else ''} {', '.join(unused)} not used")
    if label is None:
        told.append("the folder of each image is its class")
    return Columns(places, guess=", ".join(told))


def _column(rows: Rows, place: int) -> list[str]:
    return [cells[place].strip() if place < len(cells) else "" for cells in rows]


def _splits(cells: Sequence[str]) -> bool:
    """Whether all values of a column are names of splits."""
    return bool(cells) and all(cell.lower() in SPLIT_WORDS for cell in cells)


def _counts(cells: Sequence[str]) -> bool:
    """Whether a column only numbers the rows."""
    numbers = [int(cell) if cell.isdecimal() else -1 for cell in cells]
    return len(cells) >= _COUNTED and numbers == list(range(numbers[0], numbers[0] + len(cells)))


def _names_before_numbers(places: Sequence[int], rows: Rows) -> int:
    """The first of the label columns; if it has numbers, the first column with a name for each of them."""
    numbers = _column(rows, places[0])
    if all(map(str.isdecimal, numbers)):
        for place in places[1:]:
            names = _column(rows, place)
            pairs = set(zip(numbers, names, strict=True))
            if not any(map(str.isdecimal, names)) and len(pairs) == len(set(numbers)) == len(set(names)):
                return place
    return places[0]


def _one_hot(header: Sequence[str], rows: Rows, others: set[int | None]) -> dict[int, str]:
    """The one-hot columns: 0 and 1, with a single 1 in each row."""
    columns = {place: _column(rows, place) for place in range(len(header)) if place not in others}
    columns = {place: cells for place, cells in columns.items() if cells and {*cells} <= _ONE | _ZERO}
    ones = [sum(cells[number] in _ONE for cells in columns.values()) for number in range(len(rows))]
    return {place: header[place] for place in columns} if len(columns) > 1 and {*ones} == {1} else {}


def class_of(cells: Sequence[str], classes: Mapping[int, str]) -> tuple[str, str]:
    """The class whose column has the 1, or "" and the error in the row."""
    found = [name for place, name in classes.items() if place < len(cells) and cells[place].strip() in _ONE]
    return (found[0], "") if len(found) == 1 else ("", f"the row has {len(found) or 'none'} of the classes")
