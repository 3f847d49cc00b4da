"""Lists a folder tree by names: its files and folders, recursively.

Follows links to files and folders, except a link back to one of its own parents, so that there are no endless
loops. Skips files of the operating system, and run folders: the images of a report
are not the user's images.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corolla import lock
from corolla.errors import CorollaError
from corolla.paths import is_system_file

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif"}
DOCUMENT_SUFFIXES = {
    *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".md", ".rst", ".html", ".pdf", ".yaml", ".yml", ".log"),
    *(".mat", ".npy", ".npz", ".parquet", ".xls", ".xlsx", ".doc", ".docx", ".py", ".ipynb", ".sh", ".m", ".names"),
}
_RUN = ("manifest.csv", "metrics.jsonl", "model.safetensors")  # beside config.json


@dataclass(frozen=True)
class Tree:
    """A folder: the names of the files right in it, and its folders, both sorted."""

    path: Path
    files: tuple[str, ...]
    folders: tuple["Tree", ...]
    runs: tuple[Path, ...] = ()  # run folders in it, at any depth, which are skipped

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def has_images(self) -> bool:
        """Whether a file directly in it is named like an image."""
        return any(map(named_like_image, self.files))

    def below(self) -> Iterator["Tree"]:
        """The folder itself and all its subfolders, recursively."""
        yield self
        for folder in self.folders:
            yield from folder.below()

    def all_files(self) -> Iterator[Path]:
        """The files in it, recursively."""
        for folder in self.below():
            for name in folder.files:
                yield folder.path / name

    def holds_documents_alone(self) -> bool:
        """Whether it has files, at any depth, and all are named like texts, tables or programs."""
        there = False
        for file in self.all_files():
            if file.suffix.lower() not in DOCUMENT_SUFFIXES:
                return False
            there = True
        return there

    def holds_images(self) -> bool:
        """Whether a file in it, at any depth, is named like an image."""
        return any(folder.has_images for folder in self.below())


def grow(folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Tree:
    """The tree of `folder`; `above` are its parent folders, which a link may lead back to.

    A folder with only run folders in it is skipped, too.
    """
    here = _identity(folder)
    folders, files = list_entries(folder)
    inner, runs = list[Tree](), list[Path]()
    for each in folders:
        if is_run(each):
            runs.append(each)
        elif _identity(each) not in (*above, here):
            tree = grow(each, (*above, here))
            runs += tree.runs
            if tree.files or tree.folders or not tree.runs:
                inner.append(tree)
    return Tree(folder, tuple(file.name for file in files), tuple(inner), tuple(runs))


def files_below(folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """Iterate over every file of a folder and its subfolders, except run folders."""
    here = _identity(folder)
    if here in above:
        return
    folders, files = list_entries(folder)
    yield from files
    for inner in folders:
        if not is_run(inner):
            yield from files_below(inner, (*above, here))


def is_run(folder: Path) -> bool:
    """Whether a folder is the output of a training, or is about to be."""
    if (folder / lock.NAME).exists():
        return True
    return (folder / "config.json").exists() and any((folder / name).exists() for name in _RUN)


def list_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files directly in `folder`, sorted by name, without files of the operating system."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_system_file(entry.name):
                    continue
                try:
                    is_folder = entry.is_dir()
                except OSError:  # a link to itself
                    is_folder = False
                (folders if is_folder else files).append(folder / entry.name)
    except OSError as error:
        raise CorollaError(f"cannot list the folder {folder}: {error.strerror}") from None
    return sorted(folders), sorted(files)


def named_like_image(file: str) -> bool:
    """Whether a file has the suffix of an image; whether it is one, only its content shows."""
    return os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - a million names, not paths


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
