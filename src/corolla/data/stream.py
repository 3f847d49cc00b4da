"""Training images that are streamed from shards and never unpacked as a whole."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corolla.atomic import write_text
from corolla.data.shards.reading import read_samples
from corolla.errors import CorollaError
from corolla.inputs.tars import DamageError

VERSION = 1  # of the file that `save` writes


@dataclass(frozen=True, slots=True)
class Part:
    """A tar, a row group or an Arrow file, and its number of training images."""

    path: Path
    piece: int
    count: int
    size: int  # of the whole file in bytes, which reveals a change
    bytes: int  # approximate size of this part
    content: str  # a hash of everything in it except the images
    held: tuple[int, ...] = ()  # the samples that are held out


@dataclass(frozen=True, slots=True)
class StreamedImage:
    """One training image: its bytes (empty if damaged), its class index, and its name in messages."""

    content: bytes
    label: int
    key: str


@dataclass(frozen=True)
class ImageStream:
    """The training images of a source, part by part; `source`, `seed` and `fractions` reproduce them."""

    source: str
    seed: int
    fractions: tuple[float, float, float]
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # images per class
    words: dict[str, int]  # from a label in the files to its class index
    parts: tuple[Part, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def digest(self) -> str:
        """A hash that identifies the images, independent of the files' location."""
        told = [[part.content, part.piece, part.count, part.held] for part in self.parts]
        return hashlib.sha256(json.dumps([self.classes, sorted(self.words.items()), told]).encode()).hexdigest()

    @property
    def origin(self) -> dict[str, Any]:
        """The entry in a run's `config.json` from which `restore` finds the stream again."""
        return {"source": self.source, "seed": self.seed, "fractions": self.fractions, "digest": self.digest}

    @property
    def image_bytes(self) -> float:
        """The mean size of an image file in bytes."""
        return sum(part.bytes for part in self.parts) / max(sum(part.count + len(part.held) for part in self.parts), 1)

    def check(self) -> None:
        """Raise `CorollaError` unless every file exists with its original size."""
        for path, size in {part.path: part.size for part in self.parts}.items():
            try:
                found = path.stat().st_size
            except OSError as error:
                raise gone(path, error) from None
            if found != size:
                raise CorollaError(f"{path} has changed since it was first read; restore the old one, or train anew")

    def read(self, number: int, start: int = 0) -> Iterator[StreamedImage]:
        """The images of one part from number `start` on: always as many as expected.

        An unreadable image has no bytes. Raises `CorollaError` if the file itself is missing.
        """
        part, held = self.parts[number], frozenset(self.parts[number].held)
        first = start
        for place in part.held:  # ascending
            first += place <= first
        try:
            for sample in read_samples(part.path, part.piece, lambda place: place >= first and place not in held):
                if sample.content is None:
                    continue
                if start >= part.count:
                    return
                label = self.words.get(sample.word, -1)
                yield StreamedImage(sample.content if label >= 0 else b"", label, sample.key)
                start += 1
        except DamageError:
            pass  # the remaining images count as damaged
        except OSError as error:
            raise gone(part.path, error) from None
        for place in range(start, part.count):
            yield StreamedImage(b"", -1, f"{part.path.name}, image {place}")

    def save(self, path: Path) -> None:
        """Write it as JSON, unless the file already has this content."""
        said = asdict(self) | {"version": VERSION}
        text = json.dumps(said, default=str)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

    @staticmethod
    def load(path: Path) -> "ImageStream":
        """Read what `save` wrote; raises ValueError, KeyError, TypeError or OSError for anything else."""
        said = json.loads(path.read_text(encoding="utf-8"))
        if said.pop("version") != VERSION:
            raise ValueError("another version")
        parts = [Part(**part | {"path": Path(part["path"]), "held": tuple(part["held"])}) for part in said["parts"]]
        whole = {name: tuple(said[name]) for name in ("fractions", "classes", "counts")} | {"parts": tuple(parts)}
        return ImageStream(**said | whole)


def gone(path: Path, error: OSError) -> CorollaError:
    """The error for a missing file of the source."""
    return CorollaError(f"cannot read {path} ({error.strerror or error}); bring it back to where it was")
