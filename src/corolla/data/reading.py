"""Lists the images of a folder, a table or a zip: from its class folders, or from a table in it.

A folder means its class folders, and a table beside them is only mentioned, unless it shows that the folders are not
the classes: a table with labels other than the folder names, for images in these folders.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from corolla.data.folders import list_folder
from corolla.data.layout import ClassFolders, split_of
from corolla.data.listing import RawDataset, classes_by_split
from corolla.data.locating import portable
from corolla.data.manifest import SPLITS
from corolla.data.other_folders import IMAGES
from corolla.data.rows import SUFFIXES, open_table
from corolla.data.tables import labels_sampled, read_table, read_tables, tables_in
from corolla.errors import CorollaError, few
from corolla.inputs.tables import NAMED_SUFFIXES
from corolla.inputs.tree import files_below, list_entries
from corolla.text import count

_SMALL = 10_000_000  # bytes of a table that is read quickly
_PACKED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_WRAPPERS = 4  # levels of wrapper folders that are searched
_WITHOUT = "; put each class into a folder with its name, or give a table with the columns path,label"
_AGREE = 0.9  # fraction of the rows whose label must be the image's folder, for table and folders to agree


def kind_of(source: object, path: Path) -> Literal["folder", "table", "zip"]:
    """The kind of data at a path; `CorollaError` if nothing is there or it is no data set."""
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


def read_path(path: Path, class_folders: ClassFolders = "", known: Collection[str] = ()) -> RawDataset:
    """List a folder or a table; the names of `known` classes resolve nested folders. Raises `CorollaError`."""
    if path.is_dir():
        return read_folder(path, class_folders=class_folders, known=known)
    listing, splits = read_table(path), [*_of_splits(_tables(path.parent)).values()]
    if path in splits and len(splits) > 1:
        beside = few(file.name for file in splits if file != path)
        listing = _noted(listing, f"{beside} beside it not used: give the folder")
    return listing


def skim(path: Path, class_folders: ClassFolders = "") -> RawDataset | None:
    """`read_path` with only the first file of each class; None for large tables."""
    if path.is_dir():
        return read_folder(path, whole=False, class_folders=class_folders)
    if path.stat().st_size > _SMALL:
        open_table(path)
        return None
    return read_table(path)


def read_unpacked(folder: Path, archive: Path, class_folders: ClassFolders = "") -> RawDataset:
    """List an unpacked zip; a table at its top takes precedence over its folders, since no option can name it,

    unless it only numbers the folders. A table with paths outside the zip is rejected: it must not read the user's
    other files.
    """
    tables = _tables(folder)
    pairs = [pair for table in tables for pair in labels_sampled(table)]
    counted = _renamed(pairs) and all(label.isdecimal() for _, label in pairs)
    found = None if counted else _from_tables(tables)
    listing = found or read_folder(folder, class_folders=class_folders)
    paths = [example.path for example in listing.examples]
    if found:  # also the raw paths of the table: a file inside may have the name of one outside
        paths += [portable(row.path, table.parent) for table in tables for row in open_table(table).rows()]
    for path in paths:
        if path.startswith("/") or ".." in PurePosixPath(path).parts or PureWindowsPath(path).drive:
            raise CorollaError(f"{archive}: its table names {path}, which is outside the zip")
    return listing


def read_folder(
    folder: Path, *, whole: bool = True, class_folders: ClassFolders = "", known: Collection[str] = ()
) -> RawDataset:
    """The images of the class folders in `folder`, or of the tables there if the folders are not the classes."""
    tables, within = _tables(folder), _tables_within_splits(folder)
    try:
        listing = list_folder(folder, whole, class_folders, known)
    except CorollaError as error:
        if found := _from_tables(tables) or _from_tables([], within):
            return found
        raise CorollaError(f"{error}{_why_no_table(folder, tables)}") from None
    # One folder of images beside a table: the folder is not a class.
    if len(_classes(listing)) < 2:
        if found := _from_tables(tables) or _from_tables([], within):
            return found
        why, [*only] = _why_no_table(folder, tables), sorted(_classes(listing))
        if why or (only and only[0].lower() in IMAGES and only[0] not in known):
            raise CorollaError(f"{folder} has no class folders: all its images are in {few(only)}{why or _WITHOUT}")
    listing, used = _labeled(listing, _of_splits(tables) | within, whole)
    tables = [table for table in tables if table not in used]
    if class_folders or not tables:
        return listing
    return _between(folder, listing, tables)


def _labeled(listing: RawDataset, tables: Mapping[str, Path], whole: bool) -> tuple[RawDataset, list[Path]]:
    """The listing, with splits without class folders labeled by a table in them, or by one with the split's name.

    The table's classes must all be in the training split; other splits are left out with a note. Also the tables used.
    """
    out, used = [], []
    for split, folder in listing.unlabeled:
        file = tables.get(split)
        found = read_table(file) if file else None
        if file and found and found.examples and _classes(found) <= listing.classes.get("train", frozenset()):
            place = Path(os.path.relpath(found.root, listing.root))
            rows = [replace(each, path=(place / each.path).as_posix(), split=split) for each in found.examples]
            paths = {row.path for row in rows}
            listing = replace(
                listing,
                examples=tuple(sorted((*listing.examples, *(rows if whole else rows[:1])), key=lambda row: row.path)),
                classes=listing.classes | {split: _classes(found)},
                misplaced=tuple(each for each in listing.misplaced if each.path not in paths),
            )
            listing = _noted(listing, f"the labels of {folder.name} are from {file.name}")
            used.append(file)
        else:
            out.append(f"{folder.name} ({count(sum(1 for _ in files_below(folder)), 'file')})")
    if out:
        listing = _noted(listing, f"without class folders, so without labels, and left out: {few(out)}")
    return listing, used


def _why_no_table(folder: Path, tables: list[Path]) -> str:
    """The reason why tables were not used; "" without tables."""
    if len(tables) > 1:
        return f"; it has several tables ({few(file.name for file in tables)}): give the one you mean"
    for file in list_entries(folder)[1]:
        if file.suffix.lower() in NAMED_SUFFIXES and not tables:
            try:
                open_table(file)
            except CorollaError as error:
                if "no label column" in str(error):  # it names images, then
                    return f"; and {error}"
    return ""


def _between(folder: Path, listing: RawDataset, tables: list[Path]) -> RawDataset:
    """The images of the class folders or of the tables beside them, depending on the tables' labels."""
    splits = _of_splits(tables)
    tables = [*splits.values()] if "train" in splits else tables
    folders, samples = _classes(listing), {table: labels_sampled(table) for table in tables}
    pairs = [pair for sample in samples.values() for pair in sample]
    if not pairs:
        return listing
    same = sum(label in (PurePosixPath(path).parts[:-1]) for path, label in pairs) / len(pairs)
    # Tables of splits are parts of one table; others may number the same classes differently.
    renamed = _renamed(pairs) if "train" in splits else all(map(_renamed, samples.values()))
    labels, names = {label for _, label in pairs}, few(table.name for table in tables)
    if labels & folders and same < _AGREE:
        raise CorollaError(
            f"in {folder}, the folders ({few(sorted(folders))}) and {names} ({few(sorted(labels))}) "
            f"have different classes; give {names} as DATA, or move it away"
        )
    if not labels & folders and not renamed and (found := _from_tables(tables)) and len(_classes(found)) > 1:
        return _noted(found, f"the classes come from {names}, not the folders {few(sorted(folders))}")
    if {*listing.classes} == {""} and len(splits) > 1 and all(split_of(file.stem)[1] == "*" for file in tables):
        return _split_by(listing, splits)
    together = next((column for table in tables if (column := open_table(table).columns.together)), "")
    hint = f"; to keep each {together} in one split, rename that column to group" if together else ""
    return _noted(listing, f"{names} beside the class folders not used; to use it, give it as DATA{hint}")


def _split_by(listing: RawDataset, splits: Mapping[str, Path]) -> RawDataset:
    """The images of the class folders, in the splits that tables assign them to."""
    found = read_tables(splits)
    root = Path(os.path.relpath(found.root, listing.root))
    named = {os.path.normpath(root / example.path): example.split for example in found.examples}
    rows = [(each, named.get(os.path.normpath(each.path))) for each in listing.examples]
    examples = tuple(replace(example, split=split) for example, split in rows if split)
    if left := sum(split is None for _, split in rows):
        listing = _noted(listing, f"{count(left, 'file')} of the class folders left out, because no table names them")
    return _told(replace(listing, examples=examples, classes=classes_by_split(examples)), splits)


def _renamed(pairs: list[tuple[str, str]]) -> bool:
    """Whether each label belongs to one folder and is a number or a part of that folder's name."""
    folders: dict[str, set[str]] = {}
    for path, label in pairs:
        folders.setdefault(label, set()).add(PurePosixPath(path).parent.name)
    found = [name for names in folders.values() for name in names]
    alike = all(label.isdecimal() or label.lower() in min(names).lower() for label, names in folders.items())
    return alike and len(folders) > 1 and len(found) == len(folders) == len(set(found))


def _from_tables(tables: list[Path], within: Mapping[str, Path] | None = None) -> RawDataset | None:
    """The images of the only table, or of one table for each split; None if the tables are ambiguous."""
    if len(tables) == 1:
        return read_table(tables[0])
    splits = within or _of_splits(tables)
    if len(splits) > 1 and "train" in splits:
        return _told(read_tables(splits), splits)
    return None


def _told(listing: RawDataset, splits: Mapping[str, Path]) -> RawDataset:
    root = os.path.commonpath([file.parent for file in splits.values()])
    files = ", ".join(file.relative_to(root).as_posix() for file in splits.values())
    return _noted(listing, f"the splits come from {files}")


def _tables(folder: Path) -> list[Path]:
    """The tables of images directly in a folder, or in its single wrapper folder."""
    return next((tables for _, files in _levels(folder) if (tables := tables_in(files))), [])


def _tables_within_splits(folder: Path) -> dict[str, Path]:
    """The table in each folder that is named like a split, if there is exactly one."""
    found: dict[str, Path] = {}
    *_, (folders, _) = _levels(folder)
    for each in folders:
        split = split_of(each.name)[0]
        # Only there: a search for tables in every class folder would list each of them again.
        if split and split not in found and len(tables := tables_in(list_entries(each)[1])) == 1:
            found[split] = tables[0]
    return {split: found[split] for split in SPLITS if split in found}


def _levels(folder: Path) -> Iterator[tuple[list[Path], list[Path]]]:
    """The folders and the files in a folder, then in its single wrapper folder, and so on."""
    for _ in range(_WRAPPERS):
        yield (entries := list_entries(folder))
        if len(entries[0]) != 1:
            return
        [folder] = entries[0]


def _of_splits(tables: list[Path]) -> dict[str, Path]:
    """The tables that are named like splits; none if two are for the same split."""
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


def _classes(listing: RawDataset) -> frozenset[str]:
    return frozenset().union(*listing.classes.values())


def _noted(listing: RawDataset, note: str) -> RawDataset:
    return replace(listing, notes=(*listing.notes, note))
