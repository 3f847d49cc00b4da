"""From whatever the user has to a manifest: listed, every image opened once, split fairly.

A source is one of

- a class-per-folder tree, with or without `train/`, `val/` and `test/` above the classes (see `corolla.data.layout`).
  A folder without class folders but with one table in it, or one for each split, means that table (see
  `corolla.data.reading` for tables beside class folders);
- a `.csv`, `.tsv`, `.txt` or `.parquet` table (see `corolla.data.tables`);
- a `.zip` of either; a table at its top is preferred to its folders, since nobody can name it from outside;
- many images in each file, which are never unpacked whole: a folder that `corolla data shard` made; WebDataset tars,
  as a folder, a pattern or a range (`shards/{train,val}-*.tar`, `train-{000..099}.tar`); Parquet or Arrow files with
  the images in a column, as Hugging Face `datasets` writes them. Splits are told by the files' names. The
  manifest's training examples then are a few of each class, and its `stream` has all of them;
- the words `flowers` (real photographs) and `painted` (made on the spot), unless a folder here has that name.
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
from corolla.data.shards.finding import find
from corolla.data.shards.unpacking import list_stream
from corolla.data.splitting import FRACTIONS, Fractions, TooFewError, split
from corolla.data.tables import read_table
from corolla.errors import CorollaError, few
from corolla.paths import AnyPath, at

PAINTED_COUNT = 2500
WORDS = ("flowers", "painted")  # corolla's own sets
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
    """List, check and split the images of `source`; see the top of this module for what it may be.

    Every example of the manifest is readable, hashed and in one of train, val and test; splits that the
    source has are kept, and one that it lacks is taken from its training images. With `strict`, the first
    image that cannot be used raises instead of being listed in `Manifest.skipped`. `class_folders`, or the names of
    `known` classes, settles which of nested folders are the classes. Near-duplicates stay in one split, unless too few
    sets of a class would be left for that; `duplicates` makes it so always (`group`) or never (`ignore`).
    `progress(what, done, of)` is called as work goes on. Nothing in the user's folders is changed. Raises
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
    """The manifest of what a source lists once its images were opened; refuses what no training can use.

    Raises `CorollaError` for a single class, for a class that only other splits than the training's have, for a class
    without a readable image, and for one with too few images to be split.
    """
    _check_classes(source, listing.classes)
    _check_none_lost(source, listing.classes, checked.examples, checked.skipped)
    notes = [*listing.notes, *checked.notes, *_missing_classes(listing.classes)]
    if any(skipped.reason == MISSING for skipped in checked.skipped):
        notes.append(f"files that are missing were looked for in {listing.root}")
    given = {example.split for example in checked.examples}
    compares = duplicates != "ignore" and given != set(SPLITS)  # of very many images it takes hours
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
            f"{alike} of {len(examples)} images are so alike that near-duplicates in one split would leave too few "
            "sets of a class: they are spread over the splits, and the test accuracy may be too good; give a CSV with "
            "a column group for what belongs together, or --duplicates group to stop instead"
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
    """What a source names, before any image is opened; it is fetched, painted or unpacked first if need be.

    `seed` and `fractions` choose what a source of many images in each file holds out. The names of `known` classes,
    a model's, tell which of nested folders are classes where `class_folders` does not. Raises `CorollaError`.
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
        note = f"your own folder {source} is used; corolla's set of that name is had from another working folder"
        listing = replace(listing, notes=(note, *listing.notes))
    return listing


def is_word(source: AnyPath) -> bool:
    """Whether a source is one of corolla's own sets; a folder of that name is the user's."""
    return isinstance(source, str) and source in WORDS and not Path(source).is_dir()


def at_hand(word: str, progress: Progress | None = None) -> Path:
    """The folder or table of one of corolla's own sets, fetched or painted if need be."""
    if word == "flowers":
        from corolla.data import flowers

        folder = flowers.fetch(progress)
        return folder / "splits.csv" if (folder / "splits.csv").is_file() else folder
    from corolla.data.painted import kept_set

    return kept_set(PAINTED_COUNT, lambda done, of: progress("painting", done, of) if progress else None)


def glance(source: AnyPath, class_folders: ClassFolders = "") -> RawDataset | None:
    """What a source names, with the first file of each class alone, in no time: nothing is opened, fetched or unpacked.

    None for what cannot be known so soon: shards, a zip, a large table, images that are fetched or painted. Raises
    `CorollaError` as `list_source`, so that the wrong path is refused before anything slow is done for its sake.
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
    """`CorollaError` for what `load_data` would refuse of a source, as far as a `glance` at it shows that."""
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
    """What to say of splits that lack classes of the training's: they are used as they are."""
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
