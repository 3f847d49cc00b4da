"""Finds out what the folders of a data set are: splits, classes, or neither.

A clear layout is used and reported in a line. An ambiguous one raises an error with both readings and the option that
decides between them. A folder of images never becomes a class by default.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corolla.data.listing import SPLIT_WORDS, class_name
from corolla.data.manifest import Split
from corolla.data.other_folders import Aside, set_aside
from corolla.errors import CorollaError, few
from corolla.inputs.tree import Tree, grow

ClassFolders = Literal["", "top", "leaf"]
# Words that may stand beside the name of a split: train_images, test-set.
_BESIDE = {"", "set", "data", "dataset", "images", "imgs", "img", "pictures", "photos", "split", "folder"}
_WRAPPERS = 4  # levels of wrapper folders that are searched
_RECUR = 0.5  # fraction of the classes of one split that another split has, too


@dataclass(frozen=True)
class Layout:
    """The interpretation of a folder tree."""

    root: Path
    parts: tuple[tuple[Split | Literal[""], Tree], ...]  # split ("" without splits) and the parent of its class folders
    leaves: bool  # whether the innermost folders are the classes, and not the top ones
    aside: tuple[Aside, ...] = ()  # neither a split nor a class
    unlabeled: tuple[tuple[Split, Tree], ...] = ()  # splits without class folders
    notes: tuple[str, ...] = ()  # lines to print

    def classes(self, known: Collection[str] = ()) -> Iterator[tuple[Split | Literal[""], Tree, str]]:
        """Each class folder with its split and label: its name, or its path if another class has the same name.

        A path that is the name of a `known` class is always the label.
        """
        found = [(split, part, folder) for split, part in self.parts for folder in class_folders(part, self.leaves)]
        paths = {_below(part, folder) for _, part, folder in found}
        times = Counter(path.rpartition("/")[2] for path in paths)
        for split, part, folder in found:
            path = _below(part, folder)
            yield split, folder, path if times[folder.name] > 1 or path in known else folder.name

    def files(self, folder: Tree) -> Iterator[Path]:
        """The files of a class folder."""
        return (folder.path / name for name in folder.files) if self.leaves else folder.all_files()

    def outside(self) -> Iterator[Path]:
        """The files above the class folders of a split."""
        for _, part in self.parts:
            yield from (part.path / name for name in part.files)


def read_layout(folder: Path, class_folders: ClassFolders = "", known: Collection[str] = ()) -> Layout:
    """Interpret the tree in `folder`; `class_folders`, or else the names of `known` classes, decides which level it is.

    Steps into a single wrapper folder. Raises `CorollaError` for splits without class folders, and for an ambiguous
    tree.
    """
    whole = grow(folder)
    bare, documents, aside = set_aside(whole)
    tree = _unwrapped(bare)
    parts, others = _splits(tree)
    if not parts:
        inner = [each for each in tree.folders if _is_split_tree(each)]
        if len(inner) > 1:
            names = few([each.name for each in inner])
            raise CorollaError(f"more than one folder in {tree.path} holds splits ({names}); give the one you mean")
        if inner:
            parts, others = _splits(_unwrapped(inner[0]))
            others += [each for each in tree.folders if each not in inner and each.holds_images()]
    if others:
        aside.append(Aside("beside the splits", "its folder is neither a split nor a class", tuple(others)))
    within = [(split, _without_wrapper(part)) for split, part in parts]
    unlabeled = [(split, part) for split, part in within if split != "train" and _is_unlabeled(part)]
    meant: list[tuple[Split | Literal[""], Tree]] = [each for each in within if each not in unlabeled] or [("", tree)]
    leaves, notes = _class_level([part for _, part in meant], class_folders, known, tree.path)
    if whole.runs:
        shown = few(run.relative_to(whole.path).as_posix() for run in whole.runs)
        notes.append(f"skipped, because they are run folders and not images: {shown}")
    if documents:
        notes.append(f"without images, and left out: {few(_below(whole, each) for each in documents)}")
    notes += [each.note() for each in aside]
    return Layout(tree.path, tuple(meant), leaves, tuple(aside), tuple(unlabeled), tuple(notes))


def split_of(name: str) -> tuple[Split | None, str]:
    """The split in a folder's name, and the name with that word replaced: `*` for `train`, `seg_*` for `seg_test`."""
    parts = re.split(r"([A-Za-z]+)", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))
    places = [place for place, part in enumerate(parts) if part.lower() in SPLIT_WORDS]
    if len(places) != 1:
        return None, name
    [place] = places
    rest = "".join([*parts[:place], "*", *parts[place + 1 :]])
    return SPLIT_WORDS[parts[place].lower()], re.sub(r"\d+", "", rest).lower()


def class_folders(part: Tree, leaves: bool) -> list[Tree]:
    """The class folders in a split folder."""
    if not leaves:
        return list(part.folders)
    return [folder for top in part.folders for folder in top.below() if folder.files]


def _unwrapped(tree: Tree) -> Tree:
    """Step into a single wrapper folder above the classes or splits, which many zips have."""
    for _ in range(_WRAPPERS):
        if len(tree.folders) != 1 or tree.has_images:
            break
        [inner] = tree.folders
        if not inner.folders or inner.has_images or split_of(inner.name)[1] == "*":
            break
        tree = inner
    return tree


def _without_wrapper(part: Tree) -> Tree:
    """Step from a split folder into a single redundant one: seg_train/seg_train, train/images."""
    while len(part.folders) == 1 and not part.has_images:
        [inner] = part.folders
        if not inner.folders or inner.has_images or inner.name.lower() not in {part.name.lower(), *_BESIDE}:
            break
        part = inner
    return part


def _is_unlabeled(part: Tree) -> bool:
    """Whether a split folder has images and no class folders, like the test set of a competition."""
    if part.has_images:
        return not part.folders
    inner = [folder for folder in part.folders if folder.holds_images()]
    return len(inner) == 1 and inner[0].has_images and inner[0].name.lower() in {part.name.lower(), *_BESIDE}


def _is_split_tree(tree: Tree) -> bool:
    """Whether the folders of `tree` are splits, including the training split."""
    try:
        return bool(_splits(_unwrapped(tree))[0])
    except CorollaError:
        return False


def _splits(tree: Tree) -> tuple[list[tuple[Split, Tree]], list[Tree]]:
    """The split folders and the other folders; both empty if the folders of `tree` are classes."""
    read = [(folder, *split_of(folder.name)) for folder in tree.folders]
    named = [(split, folder, pattern) for folder, split, pattern in read if split is not None]
    others = [folder for folder, split, _ in read if split is None and folder.holds_images()]
    exact = [(split, folder) for split, folder, pattern in named if pattern == "*"]
    splits = {split for split, _, _ in named}
    beside = {pattern.strip("*-_ .()") for _, _, pattern in named}
    alike = len(beside) == 1 or beside <= _BESIDE
    # "train" may also be a class beside "bus" and "car": a split contains class folders, a class contains images.
    if any(split == "train" and folder.folders for split, folder in exact):
        if others and len({split for split, _ in exact}) == 1:
            raise CorollaError(
                f"{tree.path} holds the split folder {exact[0][1].name} beside others "
                f"({few([folder.name for folder in others])}); keep either splits or classes there"
            )
        return exact, [*others, *(folder for _, folder, pattern in named if pattern != "*")]
    if len(splits) < 2 and not (len(exact) == 1 == len(tree.folders) and exact[0][1].folders):
        return [], []
    parts = [_without_wrapper(folder) for _, folder, _ in named]
    if not alike or (
        others
        and not _certain([split for split, _, _ in named], parts, [_without_wrapper(folder) for folder in others])
    ):
        return [], []
    if not any(folder.folders for split, folder, _ in named):
        names = " and ".join(folder.name for _, folder, _ in named)
        raise CorollaError(
            f"{names} in {tree.path} are splits and have no class folders; put each class into a folder with its name "
            "(train/daisy), or give a CSV with the columns path,label,split"
        )
    return [(split, folder) for split, folder, _ in named], others


def _certain(splits: Sequence[Split], parts: Sequence[Tree], others: Sequence[Tree]) -> bool:
    """Whether `parts` are splits despite the `others` beside them, such as seg_pred beside seg_train and seg_test.

    They are if they contain the class folders of the training split and the others contain none of these.
    """
    inner = [{folder.name for folder in part.folders if folder.holds_images()} for part in parts]
    trained = set[str]().union(*(names for split, names in zip(splits, inner, strict=True) if split == "train"))
    recur = all(len(trained & names) >= _RECUR * len(names) > 0 for names in inner)
    return recur and not any(folder.name in trained for other in others for folder in other.folders)


def _class_level(
    parts: Sequence[Tree], wanted: ClassFolders, known: Collection[str], root: Path
) -> tuple[bool, list[str]]:
    """Whether the innermost folders are the classes, and notes for the user."""
    tops = [top for part in parts for top in part.folders]
    if wanted:
        return wanted == "leaf", []
    if any(top.has_images for top in tops) or not any(top.holds_images() for top in tops):
        return False, []
    by_part = [{_below(part, leaf) for leaf in class_folders(part, True) if leaf.has_images} for part in parts]
    by_top = [[leaf for leaf in top.below() if leaf.has_images] for top in tops]
    if all(len(leaves) <= 1 for leaves in by_top):
        return False, []  # rose/images/1.jpg
    filled = [leaves for leaves in by_part if leaves]
    shown = sorted(filled[0])
    if len(filled) > 1 and all(len(filled[0] & other) >= _RECUR * len(other) for other in filled[1:]):
        return True, [f"the innermost folders are the classes, as in every split: {few(shown)}"]
    if known and all(class_name(top.name) in known for top in tops):
        return False, []
    if known and all({class_name(leaf), class_name(Path(leaf).name)} & set(known) for leaf in shown):
        return True, []
    times = Counter(leaf.name for leaves in by_top for leaf in leaves)
    same = len(parts) == 1 and len(tops) > 1 and all(number == len(tops) for number in times.values())
    # Folders by year, camera or session; 40X and 100X, each with benign and malignant in it, are not classes.
    if same and _counted(times) and not _counted([top.name for top in tops]):
        return False, [
            f"every class has the same folders inside ({few(sorted(times))}): the outer ones are the classes"
        ]
    raise CorollaError(
        f"the folders in {root} are nested, and either the outer or the innermost could be the classes: "
        f"{few(sorted({top.name for top in tops}))}, or {few(shown)}; choose with --class-folders top or leaf"
    )


def _counted(names: Iterable[str]) -> bool:
    """Whether names differ only by a number."""
    patterns = {re.sub(r"\d+", "#", name.lower()) for name in names}
    return len(patterns) == 1 and "#" in next(iter(patterns))


def _below(part: Tree, folder: Tree) -> str:
    return folder.path.relative_to(part.path).as_posix()
