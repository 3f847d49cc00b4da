"""Which images a folder, a table or a zip means: its class folders, or a table that lies there.

Class folders are what a folder means, and a table beside them is only spoken of, unless it shows that the folders are
no classes: a table whose labels are other words than the folders' names, for images that lie in these folders.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from corolla.data.folders import list_folder
from corolla.data.layout import ClassFolders, split_of
from corolla.data.listing import Listing
from corolla.data.manifest import SPLITS
from corolla.data.rows import SUFFIXES, open_table
from corolla.data.tables import labels_sampled, read_table, read_tables, tables_in
from corolla.data.tree import list_entries
from corolla.errors import CorollaError, few

_SMALL = 10_000_000  # bytes of a table that is read in no time
_PACKED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_WRAPPERS = 4  # folders within folders that are looked through
_AGREE = 0.9  # share of the rows of a table whose label must be the folder of the image, for the two to say the same


def kind_of(source: object, path: Path) -> Literal["folder", "table", "zip"]:
    """What a path is; `CorollaError` for what is not there and for what is no data."""
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise CorollaError(
            f"there is no {str(source)!r}; give a folder of class folders, a table, a zip, shards, "
            "or one of the words 'flowers' and 'painted'"
        )
    if path.suffix.lower() in SUFFIXES:
        return "table"
    if path.suffix.lower() == ".zip":
        return "zip"
    if path.name.lower().endswith(_PACKED):
        raise CorollaError(f"cannot use {path} as data; unpack it and give the folder")
    raise CorollaError(
        f"cannot use {path} as data; give a folder, a table (CSV, TSV, TXT, Parquet), or a zip of either"
    )


def read_path(path: Path, class_folders: ClassFolders = "", known: Collection[str] = ()) -> Listing:
    """What a folder or a table names; the names of `known` classes tell nested folders apart. Raises `CorollaError`."""
    if path.is_dir():
        return read_folder(path, class_folders=class_folders, known=known)
    listing, splits = read_table(path), [*_of_splits(_tables(path.parent)).values()]
    if path in splits and len(splits) > 1:
        beside = few(file.name for file in splits if file != path)
        listing = _noted(listing, f"{beside} beside it not used: give the folder")
    return listing


def skim(path: Path, class_folders: ClassFolders = "") -> Listing | None:
    """The same with the first file of each class alone; None for tables too large to be read in no time."""
    if path.is_dir():
        return read_folder(path, whole=False, class_folders=class_folders)
    if path.stat().st_size > _SMALL:
        open_table(path)
        return None
    return read_table(path)


def read_unpacked(folder: Path, archive: Path, class_folders: ClassFolders = "") -> Listing:
    """What an unpacked zip names; a table at its top counts for more than its folders: nobody can name it from outside.

    A table that points out of the zip is refused: the user's other files are none of its business.
    """
    tables = _tables(folder)
    listing = _from_tables(tables) or read_folder(folder, class_folders=class_folders)
    for example in listing.examples:
        path = PurePosixPath(example.path)
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(example.path).drive:
            raise CorollaError(f"{archive}: its table names {example.path}, which lies outside the zip")
    return listing


def read_folder(
    folder: Path, *, whole: bool = True, class_folders: ClassFolders = "", known: Collection[str] = ()
) -> Listing:
    """The images of the class folders in `folder`, or of the table or tables there if the folders are no classes."""
    tables = _tables(folder)
    try:
        listing = list_folder(folder, whole, class_folders, known)
    except CorollaError:
        if found := _from_tables(tables):
            return found
        raise
    # One folder of images beside a table: the folder is no class.
    if len(_classes(listing)) < 2 and (found := _from_tables(tables)):
        return found
    if class_folders or not tables:
        return listing
    return _between(folder, listing, tables)


def _between(folder: Path, listing: Listing, tables: list[Path]) -> Listing:
    """The class folders or the tables beside them, whichever the tables show to be meant."""
    folders = _classes(listing)
    pairs = [pair for table in tables for pair in labels_sampled(table)]
    if not pairs:
        return listing
    same = sum(label in (PurePosixPath(path).parts[:-1]) for path, label in pairs) / len(pairs)
    labels = {label for _, label in pairs}
    names = few(table.name for table in tables)
    if labels & folders and same < _AGREE:
        raise CorollaError(
            f"in {folder} the folders ({few(sorted(folders))}) and {names} ({few(sorted(labels))}) name other classes; "
            f"give {names} as DATA, or move it away"
        )
    certain = not labels & folders and not _renamed(pairs)
    if certain and (found := _from_tables(tables)) and len(_classes(found)) > 1:
        return _noted(found, f"the classes are those of {names}, and not the folders {few(sorted(folders))}")
    return _noted(listing, f"{names} beside the class folders not used; to use it, give it as DATA")


def _renamed(pairs: list[tuple[str, str]]) -> bool:
    """Whether each label is a number or a part of the name of a folder of its own, and only stands for that name."""
    folders: dict[str, set[str]] = {}
    for path, label in pairs:
        folders.setdefault(label, set()).add(PurePosixPath(path).parent.name)
    found = [name for names in folders.values() for name in names]
    alike = all(label.isdecimal() or label.lower() in min(names).lower() for label, names in folders.items())
    return alike and len(folders) > 1 and len(found) == len(folders) == len(set(found))


def _from_tables(tables: list[Path]) -> Listing | None:
    """The images of the one table there is, or of one for each split; None if no table is certain to be meant."""
    if len(tables) == 1:
        return read_table(tables[0])
    if len(splits := _of_splits(tables)) > 1 and "train" in splits:
        return _told(read_tables(splits), splits)
    return None


def _told(listing: Listing, splits: Mapping[str, Path]) -> Listing:
    return _noted(listing, "the splits are those of " + ", ".join(file.name for file in splits.values()))


def _tables(folder: Path) -> list[Path]:
    """The tables of images that lie right in a folder, or in the lone one that wraps what is in it."""
    for _ in range(_WRAPPERS):
        folders, files = list_entries(folder)
        if (tables := tables_in(files)) or len(folders) != 1:
            return tables
        [folder] = folders
    return []


def _of_splits(tables: list[Path]) -> dict[str, Path]:
    """The tables that are called as splits are; none if two are for the same."""
    found: dict[str, Path] = {}
    for split, file in _named_as_splits(tables):
        if split in found:
            return {}
        found[split] = file
    return {split: found[split] for split in SPLITS if split in found}


def _named_as_splits(tables: list[Path]) -> Iterator[tuple[str, Path]]:
    for file in tables:
        split, _ = split_of(file.stem)
        if split:
            yield split, file


def _classes(listing: Listing) -> frozenset[str]:
    return frozenset().union(*listing.classes.values())


def _noted(listing: Listing, note: str) -> Listing:
    return replace(listing, notes=(*listing.notes, note))
