"""The samples of a file of many images, whatever its kind: a tar, or the columns of a Parquet or Arrow file."""

from collections.abc import Iterator
from pathlib import Path

from corolla.data.shards.samples import LeftOut, Sample, Wanted
from corolla.data.shards.tars import read_tar


def read_samples(path: Path, piece: int, wanted: Wanted) -> Iterator[Sample]:
    """The samples of one piece of a file in order; images that are not `wanted` are skipped unread.

    Raises `DamageError` where the file is invalid, `OSError`, and `CorollaError` if a package is missing.
    """
    if path.suffix == ".tar":
        return read_tar(path, wanted)
    from corolla.data.shards.columns import read_columns

    return read_columns(path, piece, wanted)


def words_of(path: Path, left: LeftOut) -> Iterator[Iterator[str]]:
    """The labels of the samples of every piece of a file, without reading an image; raises like `read_samples`.

    Anything else in the file is added to `left`.
    """
    if path.suffix == ".tar":
        yield (sample.word for sample in read_tar(path, lambda place: False, left))
        return
    from corolla.data.shards.columns import read_words

    yield from read_words(path, left)
