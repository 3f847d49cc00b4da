"""Lists the images of class folders, with or without split folders above the classes (see `corolla.data.layout`).

Every file in a class folder counts as an image until it is opened.
"""

import itertools
import os
import sys
from collections.abc import Collection
from pathlib import Path

from corolla.data.layout import ClassFolders, read_layout
from corolla.data.listing import RawDataset, class_name
from corolla.data.manifest import Example, Skipped
from corolla.errors import CorollaError
from corolla.inputs.tree import named_like_image

_OUTSIDE = "it is outside every class folder"
UNLABELED = "its split has no class folders, so it has no label"
_NO_TEXT = (
    "its name is not valid text (UTF-8); rename it"
    if sys.getfilesystemencoding() == "utf-8"
    else f"Python reads file names as {sys.getfilesystemencoding()} here; set PYTHONUTF8=1"
)


def list_folder(
    folder: Path, whole: bool = True, class_folders: ClassFolders = "", known: Collection[str] = ()
) -> RawDataset:
    """List the images of a class-per-folder tree; the files of a class may be in subfolders.

    With `whole` false, lists only the first file of each class. If the folders are nested, `class_folders` or the
    names of `known` classes decide which of them are the classes. Raises `CorollaError` if there are no class
    folders or the tree is ambiguous.
    """
    layout = read_layout(folder, class_folders, known)
    examples: list[Example] = []
    loose = [
        Skipped(_relative(file, layout.root), _OUTSIDE) for file in layout.outside() if named_like_image(file.name)
    ]
    aside = [(tree, each.reason) for each in layout.aside for tree in each.folders]
    for tree, reason in (*aside, *((tree, UNLABELED) for _, tree in layout.unlabeled)):
        files = (file for file in tree.all_files() if named_like_image(file.name))
        loose += [Skipped(_relative(file, layout.root), reason) for file in files]
    classes: dict[str, set[str]] = {}
    for split, tree, name in layout.classes(known):
        label = class_name(name)
        classes.setdefault(split, set()).add(label)
        for file in layout.files(tree) if whole else itertools.islice(layout.files(tree), 1):
            path = _relative(file, layout.root)
            if _is_text(path):
                examples.append(Example(path, label, split))
            else:
                loose.append(Skipped(path.encode("utf-8", "backslashreplace").decode(), _NO_TEXT))
    if not classes:
        raise CorollaError(
            f"{folder} has no class folders; put the images of each class into a folder with its name, "
            "or give a CSV with the columns path,label"
        )
    examples.sort(key=lambda example: example.path)
    return RawDataset(
        layout.root,
        tuple(examples),
        {split: frozenset(names) for split, names in classes.items()},
        tuple(loose),
        notes=layout.notes,
        unlabeled=tuple((split, tree.path) for split, tree in layout.unlabeled),
    )


def _relative(file: Path, root: Path) -> str:
    return Path(os.path.relpath(file, root)).as_posix()  # a skipped file may be above the class folders


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
