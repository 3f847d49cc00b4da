"""Warnings from names alone: folders that are hardly classes, and files that are placeholders for a missing image."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from corolla.data.manifest import Manifest
from corolla.errors import few
from corolla.text import count

_NO_CLASS = re.compile(
    r"(background|none|null|nan|unknown|un ?label+ed|un ?classified|un ?categori[sz]ed|undefined|other|others|misc|"
    r"miscellaneous|trash|garbage|junk|rubbish|deleted?|rejected|rejects?|te?mp|backup|new folder|untitled folder)"
    r"|background .*|.*\bipynb checkpoints"
)
_IMAGE = r"(image|img|photo|image|pic|thumbnail|thumb)s?"
_PLACEHOLDER = re.compile(
    rf"not ?(found|available|avail)\b|\bunavailable\b|placeholder|\bno ?{_IMAGE}\b|\bmissing ?{_IMAGE}\b"
    rf"|\b(default|dummy|broken|blank|empty) ?{_IMAGE}\b|\bcoming ?soon\b|^(404|dummy)$"
)


def no_class(label: str) -> bool:
    """Whether a class has the name of a leftover folder: `BACKGROUND_Google`, `unknown`, `ipynb_checkpoints`."""
    return _NO_CLASS.fullmatch(re.sub("[^a-z]+", " ", label.lower()).strip()) is not None


def named_like_placeholder(path: str) -> bool:
    """Whether a file has the name of a placeholder image: `imageNotFound.gif`, `no-photo.png`."""
    return _PLACEHOLDER.search(re.sub("[^a-z0-9]+", " ", PurePosixPath(path).stem.lower()).strip()) is not None


def spelled_alike(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Classes whose names differ only in case and in the separators between words."""
    found: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        found[re.sub(r"[\s_-]+", " ", label.casefold()).strip()].append(label)
    return sorted(tuple(sorted(same)) for same in found.values() if len(same) > 1)


def class_hints(labels: Iterable[str]) -> list[str]:
    """Warnings about unusual class names."""
    labels = sorted(labels)
    said = []
    if left_over := [label for label in labels if no_class(label)]:
        said.append(
            f"class names such as {few(left_over)} may stand for leftovers; they are trained like any other class, so "
            "remove them if that is not intended"
        )
    if alike := spelled_alike(labels):
        said.append(
            f"class names differ only in spelling ({few(' and '.join(same) for same in alike)}); they are "
            "trained as different classes"
        )
    return said


def hints(manifest: Manifest) -> list[str]:
    """Warnings to print before training."""
    said = class_hints(manifest.classes)
    if named := sorted(example.path for example in manifest.examples if named_like_placeholder(example.path)):
        files = count(len(named), "file is named", "files are named")
        said.append(f"{files} like a placeholder for a missing image ({few(named)}); check and remove such files")
    return said
