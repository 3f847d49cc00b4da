"""Finds the images of a table: at the given path, relative to the current folder, or by name in subfolders.

A sample of the table's rows decides which of these applies, so that a million rows need no search each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from corolla.data.layout import split_of
from corolla.data.manifest import Split
from corolla.errors import few
from corolla.inputs.tables import with_slashes
from corolla.inputs.tree import files_below, named_like_image

Locate = Callable[[str], str]


class LostError(Exception):
    """No file, or more than one, matches; the text is the reason."""


@dataclass(frozen=True)
class Places:
    """How to find the file of a path in a table, and a note for the user."""

    locate: Locate
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """The images in a folder and its subfolders, by name and by name without suffix."""

    root: Path
    split: Split | None = None  # whose folders are searched first
    files: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def of(root: Path, split: Split | None = None) -> "Index":
        """Every image below `root`, recognized by its suffix."""
        index = Index(root, split)
        for file in files_below(root):
            if named_like_image(file.name):
                path = file.relative_to(root).as_posix()
                index.files.setdefault(file.name, []).append(path)
                index.files.setdefault(file.stem, []).append(path)
        return index

    def candidates(self, path: str) -> list[str]:
        """The files that match a path: each ends with it, with or without its suffix, after a slash.

        Without a match, the path may come from another machine and end with the file's: /content/set/cat/1.jpg
        matches cat/1.jpg. Of several matches, those in a folder of the table's own split, if any: for 1 in
        trainLabels.csv, train/1.png.
        """
        wanted = PurePosixPath(path)
        called = self.files.get(wanted.name, [])
        parent = "" if wanted.parent == PurePosixPath() else f"/{wanted.parent}"
        found = [each for each in called if f"/{PurePosixPath(each).parent}".endswith(parent)] or _ends(wanted, called)
        if self.split is None or len(found) < 2:
            return found
        return [each for each in found if self.split in map(_split_of, PurePosixPath(each).parts[:-1])] or found

    def locate(self, path: str) -> str:
        """The one file that matches a path, or the path itself without a match. Raises `LostError` for several."""
        found = self.candidates(path)
        if len(found) > 1:
            raise LostError(f"several files match: {few(found)}")
        return found[0] if found else path


def portable(path: str, root: Path) -> str:
    """A path with forward slashes, without a leading `./`; a table made on Windows works elsewhere."""
    return spelled(str(PurePosixPath(with_slashes(path, root))), root)


def spelled(path: str, root: Path) -> str:
    """`portable`, with one spelling for each file: `a/../b.jpg`, or its absolute path, is `b.jpg`."""
    if ".." not in path and not path.startswith("/") and ":" not in path[:3]:
        return path
    try:
        return (root / path).resolve().relative_to(root.resolve()).as_posix()
    except (OSError, ValueError):  # it is elsewhere, or is an invalid name
        return path


def places_of(sample: Sequence[str], root: Path, name: str) -> Places:
    """How to find the images of the table `name` in the folder `root`, judged by a `sample` of its paths."""
    here, parent = [path for path in sample if (root / path).is_file()], Path.cwd()
    if len(here) == len(sample):
        return Places(str)
    told = [path for path in sample if (parent / path).is_file()]
    index = Index.of(root, _split_of(PurePosixPath(name).stem))
    found = [path for path in sample if len(index.candidates(path)) == 1]
    if len(told) > max(len(here), len(found)):
        note = f"the paths of {name} are relative to the current folder, {parent}, and not to its own"
        return Places(lambda path: spelled(str(parent / path), root), (note,))
    if len(found) > len(here):
        example = next(path for path in found if path not in here)
        note = f"the images of {name} are found by their names: {example} is {index.locate(example)}"
        return Places(index.locate, (note,))
    return Places(str)


def _ends(path: PurePosixPath, files: Sequence[str]) -> list[str]:
    """Of `files`, those whose path is the end of `path`; the longest matches only."""
    folders = {file: PurePosixPath(file).parent.parts for file in files}
    above = path.parent.parts
    shared = {file: len(own) for file, own in folders.items() if above[len(above) - len(own) :] == own}
    return [file for file, number in shared.items() if number == max(shared.values())]


@cache
def _split_of(name: str) -> Split | None:
    """The split in a folder's name; cached, since every image asks for the same few folders."""
    return split_of(name)[0]
