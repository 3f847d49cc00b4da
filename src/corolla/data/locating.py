"""Where the images lie that a table names: as it says, from the current folder, or by their names in folders below.

Which of these holds is decided by a sample of a table's rows, so that no file is looked for a million times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from corolla.data.layout import split_of
from corolla.data.manifest import Split
from corolla.data.tree import files_below, named_like_image
from corolla.errors import few

Locate = Callable[[str], str]


class LostError(Exception):
    """No file, or more than one, can be meant; the text is the reason."""


@dataclass(frozen=True)
class Places:
    """How to find the file of a path as it stands in a table, and what to say of it."""

    locate: Locate
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """The images in a folder and in those below, by name and by name without its ending."""

    root: Path
    split: Split | None = None  # whose folders are looked into first
    files: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def of(root: Path, split: Split | None = None) -> "Index":
        """Every image below `root`, found by the ending of its name."""
        index = Index(root, split)
        for file in files_below(root):
            if named_like_image(file.name):
                path = file.relative_to(root).as_posix()
                index.files.setdefault(file.name, []).append(path)
                index.files.setdefault(file.stem, []).append(path)
        return index

    def candidates(self, path: str) -> list[str]:
        """The files that a path may mean: each ends with it, with or without its ending, after a slash.

        Where there is none, the path may come from elsewhere and end with the file's: of /content/set/cat/1.jpg there
        may be cat/1.jpg. Of several, those in a folder of the table's own split, if there are any: of 1 in
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
        """The one file that a path means; the path itself where there is none. Raises `LostError` if there are more."""
        found = self.candidates(path)
        if len(found) > 1:
            raise LostError(f"several files may be meant: {few(found)}")
        return found[0] if found else path


def portable(path: str, root: Path) -> str:
    """A path with forward slashes, without a leading `./`; a table made on Windows works elsewhere."""
    if "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    return spelled(str(PurePosixPath(path)), root)


def spelled(path: str, root: Path) -> str:
    """The same for one file however it is spelled: `a/../b.jpg`, or its absolute path, is `b.jpg`."""
    if ".." not in path and not path.startswith("/") and ":" not in path[:3]:
        return path
    try:
        return (root / path).resolve().relative_to(root.resolve()).as_posix()
    except (OSError, ValueError):  # it lies elsewhere, or is a name that no system takes
        return path


def places_of(sample: Sequence[str], root: Path, name: str) -> Places:
    """How to find what the table `name` in the folder `root` means, judged by a `sample` of its paths."""
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
    """Those of some files whose folders a path ends with: the ones that share most of it."""
    folders = {file: PurePosixPath(file).parent.parts for file in files}
    above = path.parent.parts
    shared = {file: len(own) for file, own in folders.items() if above[len(above) - len(own) :] == own}
    return [file for file, number in shared.items() if number == max(shared.values())]


@cache
def _split_of(name: str) -> Split | None:
    """The split that a name tells; the same few folders are asked about for every image."""
    return split_of(name)[0]
