"""The manifest: what every source of images becomes, and what a run keeps of its data.

A manifest is a table of examples under one root folder. It is saved with the run as CSV, so that which
image was trained on, validated on and tested on can be read, diffed and used again as a data source.
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
from corolla.data.shards.stream import ImageStream
from corolla.errors import CorollaError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
COLUMNS = ("path", "label", "split", "group", "sha256")


@dataclass(frozen=True, slots=True)
class Example:
    """One labeled image; `path` is relative to the manifest's root, with forward slashes."""

    path: str
    label: str
    split: str = ""  # one of SPLITS, or "" as long as the images are not split
    group: str = ""  # images that must stay on one side: a photographer, a patient, a burst
    sha256: str = ""  # of the file's bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that was left out, and the reason in words."""

    path: str
    reason: str
    label: str = ""  # what the user's table calls it all the same
    count: int = 1  # how many images it stands for, where many of one file are left out for one reason

    def to_json(self) -> list[Any]:
        """Path and reason, and the count where it is not one."""
        return [self.path, self.reason, *([self.count] if self.count > 1 else [])]

    @staticmethod
    def from_json(row: Sequence[Any]) -> "Skipped":
        """From what `to_json` gave."""
        return Skipped(str(row[0]), str(row[1]), count=int(row[2]) if len(row) > 2 else 1)


def lines_of(skipped: Sequence[Skipped], where: str = "", most: int = 10) -> Iterator[str]:
    """A line for each of the first, and one that counts the rest; `where` says where they are listed."""
    for one in skipped[:most]:
        yield f"  skipped {one.path}: {one.reason}"
    if left := sum(one.count for one in skipped[most:]):
        yield f"  skipped {left:,} more{where and ', ' + where}"


@dataclass(frozen=True)
class Manifest:
    """Labeled images under `root`, their classes in the order of the model's outputs.

    Where the training images are too many to lie in files of their own, `stream` has them all, and the training
    examples are a few of each class that stand for them.
    """

    root: Path
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...] = field(default=(), compare=False)
    stream: ImageStream | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)  # how the source was read, where that is worth a line
    drawn: tuple[Split, ...] = field(default=(), compare=False)  # splits that the source lacked

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The class names, sorted: the order that a model trained on this manifest answers in."""
        return self.stream.classes if self.stream else tuple(sorted({example.label for example in self.examples}))

    @cached_property
    def class_index(self) -> dict[str, int]:
        """From a class name to its place in `classes`."""
        return {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def digest(self) -> str:
        """A sha256 over path, label, split and content of every example: which data, split how."""
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
        """The class numbers of one split, in manifest order."""
        return [self.class_index[example.label] for example in self.split(name)]

    def counts(self, name: Split) -> dict[str, int]:
        """How many images each class has in one split, every class named; those of a stream all count."""
        if self.stream and name == "train":
            return dict(zip(self.classes, self.stream.counts, strict=True))
        seen = Counter(example.label for example in self.split(name))
        return {label: seen[label] for label in self.classes}

    def size(self, name: Split) -> int:
        """How many images one split has, those of a stream all counted."""
        return sum(self.counts(name).values())

    def locate(self, example: Example) -> Path:
        """Where the image of an example lies."""
        return self.root / example.path

    def with_examples(self, examples: tuple[Example, ...]) -> "Manifest":
        """The same root and skipped list with other examples, and nothing but them."""
        return replace(self, examples=examples, stream=None)

    def save(self, path: Path) -> None:
        """Write the examples as CSV (columns `path,label,split,group,sha256`), whole or not at all."""

        def write(temporary: Path) -> None:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows([getattr(example, column) for column in COLUMNS] for example in self.examples)

        write_with(path, write)

    @staticmethod
    def load(path: Path, root: Path) -> "Manifest":
        """Read what `save` wrote, the images lying under `root`.

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
    """A row as `save` wrote it; words that many rows share are kept once."""
    path, label, split, group, sha256 = (row[column] or "" for column in COLUMNS)
    return Example(path, sys.intern(label), sys.intern(split), sys.intern(group), sha256)
