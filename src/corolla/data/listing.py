"""The images that a folder or a table lists before any is opened, and how class names are compared.

Class names are compared after Unicode normalization (NFC), because macOS and Linux encode the same folder name
with different bytes; they are not changed otherwise.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from corolla.data.manifest import Example, Skipped, Split
from corolla.data.stream import ImageStream

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class RawDataset:
    """Unchecked images under `root`, with the classes that each split should have.

    `classes` maps a split (or "" without splits) to the class names found there, including those whose folder
    is empty. `misplaced` are files that cannot be used where they are; `left_out` are rows that the user's table
    excludes itself. If the training images come in shards, `stream` has them all, and `examples`
    has only some.
    """

    root: Path
    examples: tuple[Example, ...]
    classes: dict[str, frozenset[str]]
    misplaced: tuple[Skipped, ...] = ()
    left_out: tuple[Skipped, ...] = ()
    stream: ImageStream | None = None
    notes: tuple[str, ...] = ()  # how the source was read, as lines to print
    unlabeled: tuple[tuple[Split, Path], ...] = ()  # split folders without labels, their images being misplaced


def class_name(text: str) -> str:
    """The normalized name of a class, as it is compared and shown."""
    return unicodedata.normalize("NFC", text.strip())


def classes_by_split(examples: Iterable[Example]) -> dict[str, frozenset[str]]:
    """The class names that occur in each split."""
    found: dict[str, set[str]] = {}
    for example in examples:
        found.setdefault(example.split, set()).add(example.label)
    return {split: frozenset(names) for split, names in found.items()}
