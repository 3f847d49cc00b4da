"""A class-per-folder tree, with or without `train/`, `val/` and `test/` above the classes.

Links to files and folders are followed as the user laid them; a link back into its own parents is not, so
that a circle ends. Everything inside a class folder is taken for a picture until it has been opened.
"""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from corolla.data.listing import SPLIT_WORDS, Listing, class_name, is_noise
from corolla.data.manifest import Example, Skipped, Split
from corolla.errors import CorollaError

_OUTSIDE = "it lies outside every class folder"
_NO_TEXT = (
    "its name is not valid text (UTF-8); rename it"
    if sys.getfilesystemencoding() == "utf-8"
    else f"Python takes names for {sys.getfilesystemencoding()} here; set PYTHONUTF8=1"
)
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif"}


def list_folder(folder: Path, whole: bool = True) -> Listing:
    """List the pictures of a class-per-folder tree; files of a class may lie in folders below it.

    A single folder that wraps the tree is looked through. Unless the `whole` tree is wanted, the first file of each
    class stands for it. Raises `CorollaError` if there are no class folders.
    """
    root = _unwrap(folder)
    splits = _split_folders(root)
    examples: list[Example] = []
    loose: list[Skipped] = []
    classes: dict[str, set[str]] = {}
    for split, parent in (*splits,) or (("", root),):
        folders, files = list_entries(parent)
        loose += [Skipped(_relative(file, root), _OUTSIDE) for file in files if named_like_picture(file)]
        for class_folder in folders:
            label = class_name(class_folder.name)
            classes.setdefault(split, set()).add(label)
            below = _files_below(class_folder, (_identity(root), _identity(parent)))
            for file in below if whole else itertools.islice(below, 1):
                path = _relative(file, root)
                if _is_text(path):
                    examples.append(Example(path, label, split))
                else:
                    loose.append(Skipped(path.encode("utf-8", "backslashreplace").decode(), _NO_TEXT))
    if not classes:
        raise CorollaError(
            f"{folder} has no class folders; put the pictures of each class into a folder with its name, "
            "or give a CSV with the columns path,label"
        )
    examples.sort(key=lambda example: example.path)
    return Listing(root, tuple(examples), {s: frozenset(names) for s, names in classes.items()}, tuple(loose))


def find_tables(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files with such a suffix right in `folder`, or in the lone folder that it holds."""
    folders, files = list_entries(folder)
    if len(folders) == 1 and not files:
        _, files = list_entries(folders[0])
    return [file for file in files if file.suffix.lower() in suffixes]


def _unwrap(folder: Path) -> Path:
    """Step into a lone folder whose own folders are the classes or splits (what a zip often holds)."""
    root = folder
    for _ in range(4):
        folders, files = list_entries(root)
        if len(folders) != 1 or any(named_like_picture(file) for file in files):
            return root
        inner_folders, inner_files = list_entries(folders[0])
        is_tree = len(inner_folders) > 0 and not any(named_like_picture(file) for file in inner_files)
        if folders[0].name.lower() in SPLIT_WORDS or not is_tree:
            return root
        root = folders[0]
    return root


def _split_folders(root: Path) -> list[tuple[Split, Path]]:
    """The folders of the splits, or nothing if the folders of `root` are classes."""
    folders, _ = list_entries(root)
    named = [(SPLIT_WORDS[f.name.lower()], f) for f in folders if f.name.lower() in SPLIT_WORDS]
    # "train" may also be the class beside "bus" and "car": a split holds class folders, a class holds
    # pictures.
    holders = [(split, f) for split, f in named if list_entries(f)[0]]
    others = [f.name for f in folders if f.name.lower() not in SPLIT_WORDS]
    if not any(split == "train" for split, _ in holders):
        return []
    if others:
        raise CorollaError(
            f"{root} holds split folders ({', '.join(f.name for _, f in named)}) beside others "
            f"({_some(others)}); keep either splits or classes there"
        )
    return named


def _files_below(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    here = _identity(folder)
    if here in above:
        return
    folders, files = list_entries(folder)
    yield from files
    for inner in folders:
        yield from _files_below(inner, (*above, here))


def list_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files right in `folder`, sorted by name, without the noise of operating systems."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_noise(entry.name):
                    continue
                try:
                    is_folder = entry.is_dir()
                except OSError:  # a link that leads to itself
                    is_folder = False
                (folders if is_folder else files).append(folder / entry.name)
    except OSError as error:
        raise CorollaError(f"cannot list the folder {folder}: {error.strerror}") from None
    return sorted(folders), sorted(files)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def named_like_picture(file: Path) -> bool:
    """Whether a file has the ending of one; its content decides."""
    return file.suffix.lower() in _PICTURE_SUFFIXES


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
