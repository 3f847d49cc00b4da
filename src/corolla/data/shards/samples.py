"""The contents of a shard: its pieces, and the samples of each piece in order."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".tar", ".parquet", ".arrow")
MAX_WORD = 1000  # characters of a class name
MAX_IMAGE = 2**28  # bytes of an image file; larger ones are not read into memory
MOST_NAMED = 20  # names of skipped samples per file and reason; beyond that only the first is named
TOO_LONG = f"its class has more than {MAX_WORD:,} characters"

Wanted = Callable[[int], bool]  # whether to read the image of the sample with this number


class DamageError(Exception):
    """A file is invalid from some position on; the samples before it are good."""


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


def read_samples(path: Path, piece: int, wanted: Wanted) -> Iterator[Sample]:
    """The samples of one piece of a file in order; images that are not `wanted` are skipped unread.

    Raises `DamageError` where the file is invalid, `OSError`, and `CorollaError` if a package is missing.
    """
    if path.suffix == ".tar":
        from corolla.data.shards.tars import read_tar

        return read_tar(path, wanted)
    from corolla.data.shards.columns import read_columns

    return read_columns(path, piece, wanted)


def words_of(path: Path, left: LeftOut) -> Iterator[Iterator[str]]:
    """The labels of the samples of every piece of a file, without reading an image; raises like `read_samples`.

    Anything else in the file is added to `left`.
    """
    if path.suffix == ".tar":
        from corolla.data.shards.tars import read_tar

        yield (sample.word for sample in read_tar(path, lambda place: False, left))
        return
    from corolla.data.shards.columns import read_words

    yield from read_words(path, left)
