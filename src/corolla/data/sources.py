"""Turns a data source into a manifest: lists it, opens every image once, and splits it without leakage.

A source is one of

- a class-per-folder tree, with or without `train/`, `val/` and `test/` above the classes (see `corolla.data.layout`).
  A folder without class folders but with one table in it, or one for each split, is read as that table (see
  `corolla.data.reading` for tables beside class folders);
- a `.csv`, `.tsv`, `.txt` or `.parquet` table (see `corolla.data.tables`);
- a `.zip` of either; a table at its top takes precedence over its folders, since no option can name it;
- shards, which are never unpacked as a whole: a folder that `corolla data shard` made; WebDataset tars,
  as a folder, a pattern or a range (`shards/{train,val}-*.tar`, `train-{000..099}.tar`); Parquet or Arrow files with
  the images in a column, as Hugging Face `datasets` writes them. The files' names give the splits. The
  manifest's training examples are then a few of each class, and its `stream` has all of them;
- the words `flowers` (real photographs) and `painted` (generated on the fly), unless a folder here has that name.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from corolla.data.checking import MISSING, Checked, check
from corolla.data.duplicates import near_duplicates
from corolla.data.folders import list_folder
from corolla.data.layout import ClassFolders
from corolla.data.listing import RawDataset, classes_by_split
from corolla.data.manifest import SPLITS, Example, Manifest, Skipped
from corolla.data.progress import Progress
from corolla.data.reading import kind_of, read_path, read_unpacked, skim
from corolla.data.splitting import FRACTIONS, Fractions, TooFewError, split
from corolla.data.streams.finding import find
from corolla.data.streams.unpacking import list_stream
from corolla.data.tables import read_table
from corolla.errors import CorollaError, few
from corolla.paths import AnyPath, at

PAINTED_COUNT = 2500
WORDS = ("flowers", "painted")  # corolla's own data sets
Duplicates = Literal["", "group", "ignore"]


def load_data(
    source: AnyPath,
    *,
    seed: int = 0,
    strict: bool = False,
    fractions: Fractions = FRACTIONS,
    class_folders: ClassFolders = "",
    duplicates: Duplicates = "",
    known: Collection[str] = (),
    progress: Progress | None = None,
) -> Manifest:
    """List, check and split the images of `source`; the module docstring lists the accepted sources.

    Every example of the manifest is readable, hashed and in one of train, val and test. Splits of the
    source stay, and a missing one is sampled from its training images. With `strict`, the first
    unusable image raises instead of being listed in `Manifest.skipped`. `class_folders`, or the names of
    `known` classes, decide which of nested folders are the classes. Near-duplicates stay in one split, unless that
    leaves too few groups of a class; `duplicates` enforces (`group`) or disables (`ignore`) this.
    Calls `progress(what, done, of)`. Changes nothing in the user's folders. Raises
    `CorollaError`.
    """
    listing = list_source(source, progress, seed=seed, fractions=fractions, class_folders=class_folders, known=known)
    if strict and listing.misplaced:
        raise CorollaError(f"cannot use {listing.misplaced[0].path}: {listing.misplaced[0].reason}")
    _check_classes(source, listing.classes)
    checked = check(listing.root, listing.examples, strict=strict, progress=progress)
    return split_listing(
        source, listing, checked, seed=seed, fractions=fractions, duplicates=duplicates, progress=progress
    )


def split_listing(
    source: AnyPath,
    listing: RawDataset,
    checked: Checked,
    *,
    seed: int = 0,
    fractions: Fractions = FRACTIONS,
    duplicates: Duplicates = "",
    progress: Progress | None = None,
) -> Manifest:
    """The manifest of a listed source whose images were checked.

    Raises `CorollaError` for a single class, for a class that the training split lacks, for a class
    without a readable image, and for one with too few images to be split.
    """
    _check_classes(source, listing.classes)
    _check_none_lost(source, listing.classes, checked.examples, checked.skipped)
    notes = [*listing.notes, *checked.notes, *_missing_classes(listing.classes)]
    if any(skipped.reason == MISSING for skipped in checked.skipped):
        notes.append(f"missing files were searched for in {listing.root}")
    given = {example.split for example in checked.examples}
    compares = duplicates != "ignore" and given != set(SPLITS)  # takes hours for very many images
    pairs = list(near_duplicates(checked.fingerprints, progress)) if compares else []
    try:
        examples = split(checked.examples, pairs, seed=seed, fractions=fractions)
    except TooFewError as error:
        if not pairs:
            raise
        if duplicates == "group":
            raise CorollaError(f"{error}; or spread near-duplicates over the splits with --duplicates ignore") from None
        examples = split(checked.examples, seed=seed, fractions=fractions)
        alike = len({place for pair in pairs for place in pair})
        notes.append(
            f"{alike} of {len(examples)} images are near-duplicates, and one split for each group would leave too few "
            "groups of a class: they are spread over the splits, and the test accuracy may be too high; give a CSV "
            "with a column group for what belongs together, or --duplicates group to stop instead"
        )
    skipped = sorted((*listing.misplaced, *listing.left_out, *checked.skipped), key=lambda s: s.path)
    drawn = tuple(name for name in SPLITS if name not in given)
    return Manifest(listing.root, examples, tuple(skipped), listing.stream, tuple(notes), drawn)


def list_source(
    source: AnyPath,
    progress: Progress | None = None,
    *,
    seed: int = 0,
    fractions: Fractions = FRACTIONS,
    class_folders: ClassFolders = "",
    known: Collection[str] = (),
) -> RawDataset:
    """List a source before any image is opened; it is downloaded, painted or unpacked first if needed.

    `seed` and `fractions` choose the held-out images of shards. The names of `known` classes,
    those of a model, decide which of nested folders are the classes if `class_folders` is empty. Raises `CorollaError`.
    """
    if is_word(source):
        return _read(at_hand(str(source), progress))
    path = at(source).absolute()
    if many := find(source):
        return list_stream(many, seed, fractions, progress)
    if kind_of(source, path) == "zip":
        from corolla.data.archives import unzip

        return read_unpacked(unzip(path, progress), path, class_folders)
    listing = read_path(path, class_folders, known)
    if source in WORDS:
        note = f"your own folder {source} is used; for corolla's data set of that name, run in another folder"
        listing = replace(listing, notes=(note, *listing.notes))
    return listing


def is_word(source: AnyPath) -> bool:
    """Whether a source is one of corolla's own data sets; a folder with that name takes precedence."""
    return isinstance(source, str) and source in WORDS and not Path(source).is_dir()


def at_hand(word: str, progress: Progress | None = None) -> Path:
    """The folder or table of one of corolla's own data sets, downloaded or painted if needed."""
    if word == "flowers":
        from corolla.data import flowers

        folder = flowers.fetch(progress)
        return folder / "splits.csv" if (folder / "splits.csv").is_file() else folder
    from corolla.painted import cached_set

    return cached_set(PAINTED_COUNT, lambda done, of: progress("painting", done, of) if progress else None)


def glance(source: AnyPath, class_folders: ClassFolders = "") -> RawDataset | None:
    """List only the first file of each class, quickly: nothing is opened, downloaded or unpacked.

    None if that is not possible: shards, a zip, a large table, images that are downloaded or painted. Raises
    `CorollaError` like `list_source`, so that a wrong path is reported before any slow work.
    """
    if is_word(source):
        return None
    path = at(source).absolute()
    if find(source):
        return None
    if kind_of(source, path) == "zip":
        from corolla.data.archives import check_zip

        check_zip(path)
        return None
    return skim(path, class_folders)


def refuse_untrainable(source: AnyPath, class_folders: ClassFolders = "") -> None:
    """Raise `CorollaError` where `load_data` would, as far as a `glance` at the source shows it."""
    listing = glance(source, class_folders)
    if listing:
        _check_classes(source, listing.classes)
        _check_none_lost(source, listing.classes, listing.examples, listing.misplaced)


def _read(found: Path) -> RawDataset:
    return list_folder(found) if found.is_dir() else read_table(found)


def _check_classes(source: AnyPath, classes: dict[str, frozenset[str]]) -> None:
    everything = sorted(frozenset().union(*classes.values()))
    if len(everything) < 2:
        raise CorollaError(
            f"{source} has {'the single class ' + repr(everything[0]) if everything else 'no class'}; "
            "a classifier needs two or more"
        )
    if "" in classes:
        return
    if "train" not in classes:
        raise CorollaError(
            f"{source} has {' and '.join(sorted(classes))} but nothing to train on; add the training images as a split "
            "train, or give the folder or table of one split alone as DATA"
        )
    for name, names in classes.items():
        if unknown := names - classes["train"]:
            raise CorollaError(
                f"{name} of {source} has {_classes(unknown)} that train lacks ({few(sorted(unknown))}), which no "
                "classifier could learn; add training images of them or leave them out"
            )


def _missing_classes(classes: dict[str, frozenset[str]]) -> Iterator[str]:
    """Notes on splits that lack classes of the training split; these splits are used unchanged."""
    for name in SPLITS:
        if missing := classes.get("train", frozenset()) - classes.get(name, classes.get("train", frozenset())):
            yield f"{name} has no image of {_classes(missing)} of {len(classes['train'])}: {few(sorted(missing), 5)}"


def _classes(names: Collection[str]) -> str:
    return f"{len(names)} class{'es' if len(names) > 1 else ''}"


def _check_none_lost(
    source: AnyPath,
    classes: dict[str, frozenset[str]],
    examples: Sequence[Example],
    skipped: Sequence[Skipped],
) -> None:
    why = f"; the first of {len(skipped)} left out is {skipped[0].path}: {skipped[0].reason}" if skipped else ""
    if not examples:
        raise CorollaError(f"{source} has no readable image{why}")
    left = classes_by_split(examples)
    for name, labels in classes.items():
        lost = labels - left.get(name, frozenset())
        if lost:
            where = f"{name} of {source}" if name else str(source)
            raise CorollaError(f"no readable image of {_listed(lost)} in {where}{why}")


def _listed(names: Collection[str], most: int = 20) -> str:
    shown = ", ".join(sorted(names)[:most]) or "none"
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"
