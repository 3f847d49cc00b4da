"""What lies in a folder, by name alone: its files and folders, and theirs.

Links to files and folders are followed as the user laid them; a link back into its own parents is not, so that a
circle ends. What operating systems leave behind is not seen, and neither are the runs of trainings: nobody means the
images of a report when they say where their own are.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corolla import lock
from corolla.data.listing import is_system_file
from corolla.errors import CorollaError

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
    runs: tuple[Path, ...] = ()  # in it, however deep, and passed over

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def has_images(self) -> bool:
        """Whether a file right in it is named like an image."""
        return any(map(named_like_image, self.files))

    def below(self) -> Iterator["Tree"]:
        """The folder itself and all in it, however deep."""
        yield self
        for folder in self.folders:
            yield from folder.below()

    def all_files(self) -> Iterator[Path]:
        """The files in it, however deep."""
        for folder in self.below():
            for name in folder.files:
                yield folder.path / name

    def holds_documents_alone(self) -> bool:
        """Whether there are files in it, however deep, and all are named like texts, tables or programs."""
        there = False
        for file in self.all_files():
            if file.suffix.lower() not in DOCUMENT_SUFFIXES:
                return False
            there = True
        return there

    def holds_images(self) -> bool:
        """Whether a file in it, however deep, is named like an image."""
        return any(folder.has_images for folder in self.below())


def grow(folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Tree:
    """The tree of what is in `folder`; `above` are the folders around it, which a link may lead back to.

    A folder with nothing but runs in it is passed over as they are.
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
    """Every file of a folder and of those below it, one after another however many there are; none of runs."""
    here = _identity(folder)
    if here in above:
        return
    folders, files = list_entries(folder)
    yield from files
    for inner in folders:
        if not is_run(inner):
            yield from files_below(inner, (*above, here))


def is_run(folder: Path) -> bool:
    """Whether a training has made a folder, or is about to."""
    if (folder / lock.NAME).exists():
        return True
    return (folder / "config.json").exists() and any((folder / name).exists() for name in _RUN)


def list_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files right in `folder`, sorted by name, without the noise of operating systems."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_system_file(entry.name):
                    continue
                try:
                    is_folder = entry.is_dir()
                except OSError:  # a link that leads to itself
                    is_folder = False
                (folders if is_folder else files).append(folder / entry.name)
    except OSError as error:
        raise CorollaError(f"cannot list the folder {folder}: {error.strerror}") from None
    return sorted(folders), sorted(files)


def named_like_image(file: str) -> bool:
    """Whether a file has the ending of one; its content decides."""
    return os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - a million names, not paths


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
