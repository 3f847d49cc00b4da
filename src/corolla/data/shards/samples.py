"""The contents of a shard: its pieces, and the samples of each piece in order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

SUFFIXES = (".tar", ".parquet", ".arrow")
MAX_WORD = 1000  # characters of a class name
MAX_IMAGE = 2**28  # bytes of an image file; larger ones are not read into memory
MOST_NAMED = 20  # names of skipped samples per file and reason; beyond that only the first is named
TOO_LONG = f"its class has more than {MAX_WORD:,} characters"

Wanted = Callable[[int], bool]  # whether to read the image of the sample with this number


@dataclass(frozen=True, slots=True)
class Sample:
    """One labeled image of a piece; `place` counts the samples with both an image and a label, from 0."""

    place: int
    key: str
    word: str  # its label in the file: a name, or a number as text
    content: bytes | None  # the image file, if it was requested
    group: str = ""


@dataclass
class LeftOut:
    """What in a file is not a labeled image: a count for each reason, and the first ones by name."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, reason: str) -> None:
        """One more."""
        self.counts[reason] += 1
        if len(named := self.names.setdefault(reason, [])) < MOST_NAMED:
            named.append(name)
