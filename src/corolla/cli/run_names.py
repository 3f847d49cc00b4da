"""Names for folders that the user has not named."""

import itertools
import re
from pathlib import Path

from corolla.paths import at


def called(data: str) -> str:
    """The name of the data, for use in a file name: `photos` for `~/photos`, `set` for `set.csv`."""
    place = at(data).resolve()
    name = place.stem if place.is_file() else place.name
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "data"


def fresh(folder: Path) -> Path:
    """`folder`, or the first of `folder-2`, `folder-3`, … that does not exist or is empty."""
    for number in itertools.count(1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if not place.exists() or (place.is_dir() and not any(place.iterdir())):
            return place
    raise AssertionError("there is always a higher number")
