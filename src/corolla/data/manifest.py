"""The manifest: the form of every data source, saved with each run.

A manifest is a table of examples under one root folder. The run saves it as CSV: the train, validation and
test images can be read, diffed and used again as a data source.
"""

import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from corolla.atomic import write_with
from corolla.data.stream import ImageStream
from corolla.errors import CorollaError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
COLUMNS = ("path", "label", "split", "group", "sha256")


@dataclass(frozen=True, slots=True)
class Example:
    """One labeled image; `path` is relative to the manifest's root, with forward slashes."""

    path: str
    label: str
    split: str = ""  # one of SPLITS, or "" before the split
    group: str = ""  # images that must stay in one split: a photographer, a patient, a burst
    sha256: str = ""  # of the file's bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that was left out, and the reason in words."""

    path: str
    reason: str
    label: str = ""  # its label in the user's table, if there is one
    count: int = 1  # how many images it stands for, if many of one file are skipped for the same reason

    def to_json(self) -> list[Any]:
        """Path and reason, and the count if it is not 1."""
        return [self.path, self.reason, *([self.count] if self.count > 1 else [])]

    @staticmethod
    def from_json(row: Sequence[Any]) -> "Skipped":
        """The inverse of `to_json`."""
        return Skipped(str(row[0]), str(row[1]), count=int(row[2]) if len(row) > 2 else 1)


def lines_of(skipped: Sequence[Skipped], where: str = "", most: int = 10) -> Iterator[str]:
    """One line for each of the first `most`, and one with the number of the others; `where` says where they are."""
    for one in skipped[:most]:
        yield f"  skipped {one.path}: {one.reason}"
    if left := sum(one.count for one in skipped[most:]):
        yield f"  skipped {left:,} more{where and ', ' + where}"


@dataclass(frozen=True)
class Manifest:
    """Labeled images under `root`, their classes in the order of the model's outputs.

    If the training images come in shards, `stream` has them all, and the training
    examples are only a few of each class.
    """

    root: Path
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...] = field(default=(), compare=False)
    stream: ImageStream | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)  # how the source was read, as lines to print
    drawn: tuple[Split, ...] = field(default=(), compare=False)  # splits that the source lacks and that were sampled

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The class names, sorted: the order of the model's outputs."""
        return self.stream.classes if self.stream else tuple(sorted({example.label for example in self.examples}))

    @cached_property
    def class_index(self) -> dict[str, int]:
        """Maps a class name to its index in `classes`."""
        return {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def digest(self) -> str:
        """A sha256 over path, label, split and content of every example."""
        digest, between = hashlib.sha256(), ""
        for line in sorted(f"{e.path}\t{e.label}\t{e.split}\t{e.sha256}" for e in self.examples):
            digest.update(f"{between}{line}".encode())
            between = "\n"
        if self.stream:
            digest.update(f"{between}{self.stream.digest}".encode())
        return digest.hexdigest()

    def split(self, name: Split) -> tuple[Example, ...]:
        """The examples of one split, in manifest order."""
        return tuple(example for example in self.examples if example.split == name)

    def labels(self, name: Split) -> list[int]:
        """The class indices of one split, in manifest order."""
        return [self.class_index[example.label] for example in self.split(name)]

    def counts(self, name: Split) -> dict[str, int]:
        """The number of images of every class in one split, including all images of a stream."""
        if self.stream and name == "train":
            return dict(zip(self.classes, self.stream.counts, strict=True))
        seen = Counter(example.label for example in self.split(name))
        return {label: seen[label] for label in self.classes}

    def size(self, name: Split) -> int:
        """The number of images in one split, including all images of a stream."""
        return sum(self.counts(name).values())

    def locate(self, example: Example) -> Path:
        """The path of an example's image."""
        return self.root / example.path

    def with_examples(self, examples: tuple[Example, ...]) -> "Manifest":
        """A manifest with the same root and skipped list, and these examples."""
        return replace(self, examples=examples, stream=None)

    def save(self, path: Path) -> None:
        """Write the examples as CSV (columns `path,label,split,group,sha256`), atomically."""

        def write(temporary: Path) -> None:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows([getattr(example, column) for column in COLUMNS] for example in self.examples)

        write_with(path, write)

    @staticmethod
    def load(path: Path, root: Path) -> "Manifest":
        """Read what `save` wrote; the images are under `root`.

        Raises `CorollaError` if the file is missing or is not a manifest.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise CorollaError(f"{path} is not a corolla manifest: its columns should be {','.join(COLUMNS)}")
                return Manifest(root, tuple(map(example_of, reader)))
        except FileNotFoundError:
            raise CorollaError(f"no manifest at {path}; was the run folder copied whole?") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise CorollaError(f"cannot read the manifest {path}: {error}") from None


def example_of(row: dict[str, str | None]) -> Example:
    """A row as `save` wrote it; repeated strings are stored once."""
    path, label, split, group, sha256 = (row[column] or "" for column in COLUMNS)
    return Example(path, sys.intern(label), sys.intern(split), sys.intern(group), sha256)
