"""Finds folders beside the class folders that are not classes.

Three kinds can be recognized with certainty by names and contents: documents (lists, tables, text annotations), masks
and boxes beside their images, and a second copy of the class folders, which many archives contain.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from corolla.errors import few
from corolla.inputs.tree import Tree
from corolla.text import count

IMAGES = {"images", "image", "imgs", "img", "jpegimages", "photos", "pictures"}
_ANNOTATIONS = {"annotation", "annotations", "mask", "masks", "trimaps", "segmentation", "segmentations", "xmls"}
_ANNOTATIONS |= {"groundtruth", "ground_truth", "gt", "labels", "bbox", "bboxes", "boxes", "heatmaps"}
_SEVERAL = 2  # class folders that a folder must have in common with its siblings to count as a copy
_MOST = 0.5  # and the fraction of its own folders that these must be


@dataclass(frozen=True)
class Aside:
    """Folders that are excluded from the data set."""

    what: str  # the start of the note
    reason: str  # the reason reported for each image in them
    folders: tuple[Tree, ...]

    def note(self) -> str:
        """The line on them."""
        name = {each.path: each.name for each in self.folders}
        if len({*name.values()}) < len(name):
            name = {path: f"{path.parent.name}/{path.name}" for path in name}
        told = few([f"{name[each.path]} ({count(sum(1 for _ in each.all_files()), 'file')})" for each in self.folders])
        return f"{self.what}, and left out: {told}"


def set_aside(tree: Tree) -> tuple[Tree, list[Tree], list[Aside]]:
    """Remove such folders: the remaining tree, the removed folders of documents, and the removed ones with images."""
    tree, documents = _pruned(tree, lambda folder: [each for each in folder.folders if each.holds_documents_alone()])
    tree, annotations = _pruned(tree, _annotations)
    tree, copies = _pruned(tree, _copies)
    found = [
        Aside("annotations of the images beside them", "its folder holds annotations of images", tuple(annotations)),
        Aside("a second copy of the class folders", "its folder is a second copy of the class folders", tuple(copies)),
    ]
    return tree, documents, [each for each in found if each.folders]


def _pruned(tree: Tree, picked: Callable[[Tree], Collection[Tree]]) -> tuple[Tree, list[Tree]]:
    """The tree without the folders that `picked` selects in each folder, and the selected folders."""
    left = [*picked(tree)]
    away, kept = {folder.path for folder in left}, list[Tree]()
    for folder in tree.folders:
        if folder.path not in away:
            bare, more = _pruned(folder, picked)
            kept.append(bare)
            left += more
    return replace(tree, folders=tuple(kept)), left


def _annotations(tree: Tree) -> list[Tree]:
    """Folders with a name for annotations, beside a folder that has a name for images and contains some."""
    if not any(folder.name.lower() in IMAGES and folder.holds_images() for folder in tree.folders):
        return []
    return [folder for folder in tree.folders if folder.name.lower() in _ANNOTATIONS]


def _copies(tree: Tree) -> list[Tree]:
    """Folders whose subfolders have the names of their siblings: a copy of the data set, or a sample of it."""
    names = {folder.name for folder in tree.folders if folder.has_images}
    found = []
    for folder in tree.folders:
        inner = {each.name for each in folder.folders if each.holds_images()}
        if len(inner & names) >= max(_SEVERAL, _MOST * len(inner)):
            found.append(folder)
    return found
