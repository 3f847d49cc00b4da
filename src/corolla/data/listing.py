"""What a folder or a table says before any image is opened, and how its words are read.

Class names are compared after Unicode normalization (NFC), because macOS and Linux spell the same folder name
with different bytes; nothing else about them is changed.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from corolla.data.manifest import Example, Skipped, Split
from corolla.data.shards.stream import ImageStream

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

_NOISE = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r", "$recycle.bin"}


@dataclass(frozen=True)
class RawDataset:
    """Images to be looked at under `root`, with the classes that each split should have.

    `classes` maps a split (or "" where there is none) to the class names met there, also those whose folder
    is empty. `misplaced` are files that cannot be used as they lie; `left_out` are rows that the user's table
    leaves out itself. Where the training images are read from files of many, `stream` has them all, and `examples`
    only some.
    """

    root: Path
    examples: tuple[Example, ...]
    classes: dict[str, frozenset[str]]
    misplaced: tuple[Skipped, ...] = ()
    left_out: tuple[Skipped, ...] = ()
    stream: ImageStream | None = None
    notes: tuple[str, ...] = ()  # how it was read, where that is worth a line
    unlabeled: tuple[tuple[Split, Path], ...] = ()  # folders of splits whose images are misplaced for want of labels


def class_name(text: str) -> str:
    """The name of a class as it is compared and shown."""
    return unicodedata.normalize("NFC", text.strip())


def classes_by_split(examples: Iterable[Example]) -> dict[str, frozenset[str]]:
    """The class names that occur in each split."""
    found: dict[str, set[str]] = {}
    for example in examples:
        found.setdefault(example.split, set()).add(example.label)
    return {split: frozenset(names) for split, names in found.items()}


def is_system_file(name: str) -> bool:
    """Whether a file or folder name is one that systems leave behind, not the user."""
    return name.startswith(".") or name.lower() in _NOISE
