"""From whatever the user has to a manifest: listed, every picture opened once, split fairly.

A source is one of

- a class-per-folder tree, with or without `train/`, `val/` and `test/` above the classes; other files beside
  the class folders are ignored, so a table that lies there must be named itself to be used. A folder without
  class folders but with one table in it means that table;
- a `.csv`, `.tsv` or `.parquet` table (see `corolla.data.tables`);
- a `.zip` of either; a table at its top is preferred to its folders, since nobody can name it from outside;
- many pictures in each file, which are never unpacked whole: a folder that `corolla data shard` made; WebDataset tars,
  as a folder, a pattern or a range (`shards/{train,val}-*.tar`, `train-{000..099}.tar`); Parquet or Arrow files with
  the pictures in a column, as Hugging Face `datasets` writes them. Splits are told by the files' names. The
  manifest's training examples then are a few of each class, and its `stream` has all of them;
- the words `flowers` (real photographs) and `painted` (made on the spot). A folder of such a name is given as
  a `Path`, or as `./flowers`.
"""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from corolla.data.checking import Checked, check
from corolla.data.duplicates import near_duplicates
from corolla.data.folders import find_tables, list_folder
from corolla.data.listing import Listing, classes_by_split
from corolla.data.manifest import Example, Manifest, Skipped
from corolla.data.progress import Progress
from corolla.data.shards.finding import find
from corolla.data.shards.unpacking import list_stream
from corolla.data.splitting import FRACTIONS, Fractions, split
from corolla.data.tables import SUFFIXES, check_columns, has_needed_columns, read_table
from corolla.errors import CorollaError
from corolla.paths import AnyPath, at

PAINTED_COUNT = 2500
_SMALL = 10_000_000  # bytes of a table that is read in no time


def load_data(
    source: AnyPath,
    *,
    seed: int = 0,
    strict: bool = False,
    fractions: Fractions = FRACTIONS,
    progress: Progress | None = None,
) -> Manifest:
    """List, check and split the pictures of `source`; see the top of this module for what it may be.

    Every example of the manifest is readable, hashed and in one of train, val and test; splits that the
    source has are kept, and one that it lacks is taken from its training pictures. With `strict`, the first
    picture that cannot be used raises instead of being listed in `Manifest.skipped`. `progress(what, done,
    of)` is called as work goes on. Nothing in the user's folders is changed. Raises `CorollaError`.
    """
    listing = list_source(source, progress, seed=seed, fractions=fractions)
    if strict and listing.misplaced:
        raise CorollaError(f"cannot use {listing.misplaced[0].path}: {listing.misplaced[0].reason}")
    _check_classes(source, listing.classes)
    checked = check(listing.root, listing.examples, strict=strict, progress=progress)
    return split_listing(source, listing, checked, seed=seed, fractions=fractions, progress=progress)


def split_listing(
    source: AnyPath,
    listing: Listing,
    checked: Checked,
    *,
    seed: int = 0,
    fractions: Fractions = FRACTIONS,
    progress: Progress | None = None,
) -> Manifest:
    """The manifest of what a source lists once its pictures were opened; refuses what no training can use.

    Raises `CorollaError` for a single class, for classes that differ between splits, for a class without a readable
    picture, and for one with too few pictures to be split.
    """
    _check_classes(source, listing.classes)
    _check_none_lost(source, listing.classes, checked.examples, checked.skipped)
    examples = split(checked.examples, near_duplicates(checked.fingerprints, progress), seed=seed, fractions=fractions)
    skipped = sorted((*listing.misplaced, *listing.left_out, *checked.skipped), key=lambda s: s.path)
    return Manifest(listing.root, examples, tuple(skipped), listing.stream)


def list_source(
    source: AnyPath, progress: Progress | None = None, *, seed: int = 0, fractions: Fractions = FRACTIONS
) -> Listing:
    """What a source names, before any picture is opened; it is fetched, painted or unpacked first if need be.

    `seed` and `fractions` choose what a source of many pictures in each file holds out. Raises `CorollaError`.
    """
    if source == "flowers":
        from corolla.data import flowers

        folder = flowers.fetch(progress)
        return read_table(folder / "splits.csv") if (folder / "splits.csv").is_file() else list_folder(folder)
    if source == "painted":
        return list_folder(_painted(progress))
    path = at(source).absolute()
    if many := find(source):
        return list_stream(many, seed, fractions, progress)
    if _kind(source, path) == "zip":
        from corolla.data.archives import unzip

        return _inside(_read(_tree_or_table(unzip(path, progress), prefer_table=True)), path)
    return _read(_tree_or_table(path) if path.is_dir() else path)


def glance(source: AnyPath) -> Listing | None:
    """What a source names, with the first file of each class alone, in no time: nothing is opened, fetched or unpacked.

    None for what cannot be known so soon: shards, a zip, a large table, pictures that are fetched or painted. Raises
    `CorollaError` as `list_source`, so that the wrong path is refused before anything slow is done for its sake.
    """
    if source in ("flowers", "painted"):
        return None
    path = at(source).absolute()
    if find(source):
        return None
    kind = _kind(source, path)
    if kind == "zip":
        from corolla.data.archives import check_zip

        check_zip(path)
        return None
    found = _tree_or_table(path, whole=False) if kind == "folder" else path
    if isinstance(found, Path) and found.stat().st_size > _SMALL:
        check_columns(found)
        return None
    return _read(found)


def refuse_untrainable(source: AnyPath) -> None:
    """`CorollaError` for what `load_data` would refuse of a source, as far as a `glance` at it shows that."""
    listing = glance(source)
    if listing:
        _check_classes(source, listing.classes)
        _check_none_lost(source, listing.classes, listing.examples, listing.misplaced)


def _kind(source: AnyPath, path: Path) -> Literal["folder", "table", "zip"]:
    """What a path to no shards is; `CorollaError` for what is not there and for what is no data."""
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
    raise CorollaError(f"cannot use {path} as data; give a folder, a CSV, TSV or Parquet table, or a zip of either")


def _read(found: Listing | Path) -> Listing:
    return read_table(found) if isinstance(found, Path) else found


def _tree_or_table(folder: Path, *, prefer_table: bool = False, whole: bool = True) -> Listing | Path:
    """The listing of the class folders in `folder`, or the table there that is meant instead."""
    tables = find_tables(folder, SUFFIXES)
    if prefer_table and len(usable := [table for table in tables if has_needed_columns(table)]) == 1:
        return usable[0]
    try:
        listing = list_folder(folder, whole)
    except CorollaError:
        if len(tables) != 1:
            raise
        return tables[0]
    # One folder of pictures beside a table: the folder is no class.
    if len(frozenset().union(*listing.classes.values())) < 2 and len(tables) == 1:
        return tables[0]
    return listing


def _inside(listing: Listing, archive: Path) -> Listing:
    """Refuse a table in a zip that points out of it: the user's other files are none of its business."""
    for example in listing.examples:
        path = PurePosixPath(example.path)
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(example.path).drive:
            raise CorollaError(f"{archive}: its table names {example.path}, which lies outside the zip")
    return listing


def _painted(progress: Progress | None) -> Path:
    from corolla.data.painted import kept_set

    return kept_set(PAINTED_COUNT, lambda done, of: progress("painting", done, of) if progress else None)


def _check_classes(source: AnyPath, classes: dict[str, frozenset[str]]) -> None:
    everything = sorted(frozenset().union(*classes.values()))
    if len(everything) < 2:
        raise CorollaError(
            f"{source} has {'the single class ' + repr(everything[0]) if everything else 'no class'}; "
            "a classifier needs two or more"
        )
    (first, expected), *others = sorted(classes.items(), key=lambda item: item[0] != "train")
    for other, names in others:
        if names != expected:
            raise CorollaError(
                f"the classes of {first} and {other} differ in {source}: {first} has {_listed(expected)}; "
                f"{other} has {_listed(names)} (only in {first}: {_listed(expected - names)}; "
                f"only in {other}: {_listed(names - expected)})"
            )


def _check_none_lost(
    source: AnyPath,
    classes: dict[str, frozenset[str]],
    examples: Sequence[Example],
    skipped: Sequence[Skipped],
) -> None:
    why = f"; the first of {len(skipped)} left out is {skipped[0].path}: {skipped[0].reason}" if skipped else ""
    if not examples:
        raise CorollaError(f"{source} has no readable picture{why}")
    left = classes_by_split(examples)
    for name, labels in classes.items():
        lost = labels - left.get(name, frozenset())
        if lost:
            where = f"{name} of {source}" if name else str(source)
            raise CorollaError(f"no readable picture of {_listed(lost)} in {where}{why}")


def _listed(names: Collection[str], most: int = 20) -> str:
    shown = ", ".join(sorted(names)[:most]) or "none"
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"
