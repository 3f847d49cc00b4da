"""The index of a shard, built once from headers and labels, without reading an image.

It is cached by path, size and mtime.
"""

import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corolla.atomic import write_with
from corolla.cache import cache_folder
from corolla.data.shards.reading import words_of
from corolla.data.shards.samples import LeftOut
from corolla.errors import CorollaError
from corolla.inputs.tars import DamageError

VERSION = 2
MAX_WORDS = 100_000  # classes; more cannot be real classes


@dataclass(frozen=True, eq=False)
class Index:
    """The labels of a file's samples, as indices into `vocabulary`, piece by piece; `fault` says where reading failed.

    `left` is what was not a sample.
    """

    vocabulary: tuple[str, ...]
    pieces: tuple[NDArray[np.int32], ...]
    fault: str = ""
    left: LeftOut = field(default_factory=LeftOut)

    @property
    def digest(self) -> str:
        """A hash of everything that is counted."""
        digest = hashlib.sha256(json.dumps([self.vocabulary, [len(piece) for piece in self.pieces]]).encode())
        for piece in self.pieces:
            digest.update(piece.tobytes())
        return digest.hexdigest()

    def counts(self, piece: int) -> dict[str, int]:
        """How many samples of a piece have each label."""
        counted = np.bincount(self.pieces[piece], minlength=len(self.vocabulary))
        return {word: count for word, count in zip(self.vocabulary, counted.tolist(), strict=True) if count}


def index_of(path: Path) -> Index:
    """The index of a file, cached or built; raises `CorollaError` if the file cannot be opened."""
    try:
        status = path.stat()
    except OSError as error:
        raise CorollaError(f"cannot read {path}: {error.strerror}") from None
    key = f"{VERSION}\n{path}\n{status.st_size}\n{status.st_mtime_ns}".encode("utf-8", "surrogateescape")
    file = cache_folder() / "indexed" / f"{hashlib.sha256(key).hexdigest()[:32]}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError):  # missing or damaged: built again
        return load(file)
    index = made(path)
    if not index.fault:  # the user may be about to fix it
        with suppress(OSError):  # without a writable cache, the next run only takes longer
            write_with(file, lambda temporary: save(index, temporary))
    return index


def made(path: Path) -> Index:
    """Build the index of a file."""
    numbers: dict[str, int] = {}
    pieces: list[NDArray[np.int32]] = []
    fault, left = "", LeftOut()
    try:
        for words in words_of(path, left):
            found: list[int] = []
            try:
                for word in words:
                    found.append(numbers.setdefault(word, len(numbers)))
                    if len(numbers) > MAX_WORDS:
                        raise CorollaError(f"{path} has more than {MAX_WORDS:,} different labels, not classes")
            finally:
                pieces.append(np.array(found, np.int32))
    except DamageError as error:
        fault = str(error)
    except OSError as error:
        raise CorollaError(f"cannot read {path}: {error.strerror or error}") from None
    return Index(tuple(numbers), tuple(pieces), fault, left)


def save(index: Index, path: Path) -> None:
    """Write an index as arrays."""
    told = {"counts": dict(index.left.counts), "names": index.left.names}
    vocabulary, left = (np.frombuffer(json.dumps(said).encode(), np.uint8) for said in (index.vocabulary, told))
    numbers = np.concatenate(index.pieces) if index.pieces else np.empty(0, np.int32)
    ends = np.cumsum([0, *(len(piece) for piece in index.pieces)], dtype=np.int64)
    with path.open("wb") as file:
        np.savez(file, vocabulary=vocabulary, numbers=numbers, ends=ends, left=left)


@lru_cache(maxsize=4)  # called once per piece
def load(path: Path) -> Index:
    """Read what `save` wrote; raises ValueError, KeyError, EOFError or OSError for anything else."""
    with np.load(path, allow_pickle=False) as arrays:
        vocabulary = json.loads(arrays["vocabulary"].tobytes())
        left = json.loads(arrays["left"].tobytes())
        numbers, ends = arrays["numbers"], arrays["ends"]
    if numbers.dtype != np.int32 or ends[-1] != len(numbers) or (len(numbers) and numbers.max() >= len(vocabulary)):
        raise ValueError("not an index written by corolla")
    pieces = tuple(numbers[start:end] for start, end in pairwise(ends))
    return Index(tuple(vocabulary), pieces, left=LeftOut(Counter(left["counts"]), left["names"]))
