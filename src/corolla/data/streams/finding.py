"""Recognizes a source of shards (files of many images) and finds the files."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from corolla.data.listing import SPLIT_WORDS
from corolla.data.manifest import Split
from corolla.data.shards.samples import SUFFIXES
from corolla.data.tables import is_table
from corolla.inputs.patterns import is_pattern, matching
from corolla.inputs.tars import DamageError
from corolla.inputs.tree import list_entries, named_like_image
from corolla.paths import AnyPath, at

INDEX = "shards.json"  # which `corolla data shard` writes beside its shards
_INNER = {*SPLIT_WORDS, "data"}  # subfolders that may contain the files
_NUMBERING = ("of", "part", "shard")  # words around a number: test-00000-of-00001


@dataclass(frozen=True)
class ShardFiles:
    """Shards, sorted by path, and the folder with their description."""

    source: str  # an absolute path or pattern that finds them again
    folder: Path
    files: tuple[Path, ...]

    @property
    def written_here(self) -> bool:
        """Whether `corolla data shard` made them."""
        return (self.folder / INDEX).is_file()


def find(source: AnyPath) -> ShardFiles | None:
    """The shards of a folder, a file, a pattern (`*`, `?`, `[…]`) or a range (`{000..099}`); None without shards.

    A Parquet table of paths is not a shard. Raises `CorollaError` for a pattern of shards without a match.
    """
    path = at(source).absolute()
    if path.is_dir():
        return in_folder(path)
    if path.suffix not in SUFFIXES:
        return None
    if path.is_file():
        return ShardFiles(str(path), path.parent, (path,)) if has_images(path) else None
    if not is_pattern(str(path)):
        return None
    files = tuple(sorted(set(map(Path, matching(str(path))))))
    folder = Path(os.path.commonpath([file.parent for file in files]))
    return ShardFiles(str(path), folder, files) if has_images(files[0]) else None


def in_folder(folder: Path) -> ShardFiles | None:
    """The shards directly in a folder, or in its `data` and split folders."""
    if (folder / INDEX).is_file():
        return ShardFiles(str(folder), folder, ())
    inner, files = list_entries(folder)
    if any(each.name.lower() not in _INNER for each in inner) or any(map(is_other_data, files)):
        return None  # class folders, or images with a table: an archive beside them is not part of the data
    files += [file for each in inner for file in list_entries(each)[1]]
    for suffix in SUFFIXES:
        some = tuple(sorted(file for file in files if file.suffix == suffix))
        if some and has_images(some[0]):
            return ShardFiles(str(folder), folder, some)
    return None


def is_other_data(file: Path) -> bool:
    """Whether a file is an image, or a table of images."""
    return named_like_image(file.name) or (file.suffix.lower() in (".csv", ".tsv") and is_table(file))


def has_images(file: Path) -> bool:
    """Whether a file contains images, and not their paths."""
    if file.suffix == ".tar":
        return True
    from corolla.data.shards.columns import columns_of

    try:
        return columns_of(file) is not None
    except (DamageError, OSError):
        return False


def splits_of(found: ShardFiles) -> dict[Path, Split | None]:
    """The split in each file's name or its folder's name: `train-00000-of-00002.parquet`, `validation/0.tar`.

    If all files have the same split word inside a longer name, it is part of the name: `contest-test-animals.tar`.
    """
    said = {file: split_of(file, found.folder) for file in found.files}
    if len(set(said.values())) == 1 and not all(alone for _, alone in said.values()):
        return dict.fromkeys(found.files)
    return {file: split for file, (split, _) in said.items()}


def split_of(file: Path, folder: Path) -> tuple[Split | None, bool]:
    """The split in a name, and whether the name contains nothing else."""
    for part in (file.stem, *file.parent.relative_to(folder).parts[::-1]):
        words = [word for word in re.split("[^a-z]+", part.lower()) if word]
        if splits := [SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS]:
            return splits[0], not {*words} - {*SPLIT_WORDS, *_NUMBERING}
    return None, False
