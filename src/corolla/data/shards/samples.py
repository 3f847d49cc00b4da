"""What lies in a file of many images: its pieces, and the samples of a piece one after another."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".tar", ".parquet", ".arrow")
MAX_WORD = 1000  # characters of a class's name
MAX_IMAGE = 2**28  # bytes of an image's file; more is not read into the memory
MOST_NAMED = 20  # samples of a file that are left out for one reason; of more only the first is named
TOO_LONG = f"its class has more than {MAX_WORD:,} characters"

Wanted = Callable[[int], bool]  # whether the image of the sample of this number is to be read


class DamageError(Exception):
    """A file is not what it should be from some place on; what came before is good."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labeled image of a piece; `place` counts from 0 those that have both an image and a label."""

    place: int
    key: str
    word: str  # what the file calls its class: a name, or a number as text
    content: bytes | None  # the image's file, if it was wanted
    group: str = ""


@dataclass
class LeftOut:
    """What in a file is no labeled image: how many for which reason, and the first of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, reason: str) -> None:
        """One more."""
        self.counts[reason] += 1
        if len(named := self.names.setdefault(reason, [])) < MOST_NAMED:
            named.append(name)


def read_samples(path: Path, piece: int, wanted: Wanted) -> Iterator[Sample]:
    """The samples of one piece of a file in their order; images that are not `wanted` are passed over unread.

    Raises `DamageError` where it cannot go on, `OSError`, and `CorollaError` if a package is missing.
    """
    if path.suffix == ".tar":
        from corolla.data.shards.tars import read_tar

        return read_tar(path, wanted)
    from corolla.data.shards.columns import read_columns

    return read_columns(path, piece, wanted)


def words_of(path: Path, left: LeftOut) -> Iterator[Iterator[str]]:
    """The words of the samples of every piece of a file, without reading an image; raises as `read_samples` does.

    What is no sample is added to `left`.
    """
    if path.suffix == ".tar":
        from corolla.data.shards.tars import read_tar

        yield (sample.word for sample in read_tar(path, lambda place: False, left))
        return
    from corolla.data.shards.columns import read_words

    yield from read_words(path, left)
