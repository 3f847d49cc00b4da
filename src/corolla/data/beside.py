"""Folders that lie among those of the classes and are none of them.

Three kinds are certain by their names and by what they hold: descriptions (lists, tables, annotations in texts), masks
and boxes beside the images they belong to, and the class folders once more, as many an archive holds them twice.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from corolla.data.tree import Tree
from corolla.errors import few
from corolla.text import count

IMAGES = {"images", "image", "imgs", "img", "jpegimages", "photos", "pictures"}
_ANNOTATIONS = {"annotation", "annotations", "mask", "masks", "trimaps", "segmentation", "segmentations", "xmls"}
_ANNOTATIONS |= {"groundtruth", "ground_truth", "gt", "labels", "bbox", "bboxes", "boxes", "heatmaps"}
_SEVERAL = 2  # class folders that a folder must share with those around it to be the same once more
_MOST = 0.5  # and which share of its own


@dataclass(frozen=True)
class Aside:
    """Folders that are left out."""

    what: str  # as the note says it
    reason: str  # as each image of them is told
    folders: tuple[Tree, ...]

    def note(self) -> str:
        """The line on them."""
        name = {each.path: each.name for each in self.folders}
        if len({*name.values()}) < len(name):
            name = {path: f"{path.parent.name}/{path.name}" for path in name}
        told = few([f"{name[each.path]} ({count(sum(1 for _ in each.all_files()), 'file')})" for each in self.folders])
        return f"{self.what}, and left out: {told}"


def set_aside(tree: Tree) -> tuple[Tree, list[Tree], list[Aside]]:
    """The tree without such folders, the descriptions among them, and the others, which hold images."""
    tree, documents = _pruned(tree, lambda folder: [each for each in folder.folders if each.holds_documents_alone()])
    tree, annotations = _pruned(tree, _annotations)
    tree, copies = _pruned(tree, _copies)
    found = [
        Aside("annotations of the images beside them", "its folder holds annotations of images", tuple(annotations)),
        Aside("the class folders once more", "its folder holds the class folders once more", tuple(copies)),
    ]
    return tree, documents, [each for each in found if each.folders]


def _pruned(tree: Tree, picked: Callable[[Tree], Collection[Tree]]) -> tuple[Tree, list[Tree]]:
    """The tree without the folders that `picked` takes out of each folder, and those."""
    left = [*picked(tree)]
    away, kept = {folder.path for folder in left}, list[Tree]()
    for folder in tree.folders:
        if folder.path not in away:
            bare, more = _pruned(folder, picked)
            kept.append(bare)
            left += more
    return replace(tree, folders=tuple(kept)), left


def _annotations(tree: Tree) -> list[Tree]:
    """Folders called as annotations are, beside one that is called as images are and holds some."""
    if not any(folder.name.lower() in IMAGES and folder.holds_images() for folder in tree.folders):
        return []
    return [folder for folder in tree.folders if folder.name.lower() in _ANNOTATIONS]


def _copies(tree: Tree) -> list[Tree]:
    """Folders that hold folders called as those around them: the whole once more, or a sample of it."""
    names = {folder.name for folder in tree.folders if folder.has_images}
    found = []
    for folder in tree.folders:
        inner = {each.name for each in folder.folders if each.holds_images()}
        if len(inner & names) >= max(_SEVERAL, _MOST * len(inner)):
            found.append(folder)
    return found
