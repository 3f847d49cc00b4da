"""Finds files of the same photograph, within or across splits and classes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from corolla.audit.findings import AuditedImage, Copies
from corolla.data.duplicates import near_duplicates
from corolla.data.manifest import SPLITS
from corolla.data.splitting import units


def exact_copies(images: Sequence[AuditedImage]) -> tuple[Copies, ...]:
    """Sets of images whose files have the same bytes."""
    by_content: dict[str, list[AuditedImage]] = defaultdict(list)
    for image in images:
        by_content[image.example.sha256].append(image)
    return ordered([same for same in by_content.values() if len(same) > 1], exact=True)


def near_copies(images: Sequence[AuditedImage], fingerprints: Sequence[bytes]) -> tuple[Copies, ...]:
    """Sets of images connected by near-duplicates, including exact ones; at least two in a set have different bytes.

    `fingerprints` come from `corolla.data.duplicates`, in the same order.
    """
    alone = [replace(image.example, group="") for image in images]  # a user's group is not a photograph
    tied = [[images[place] for place in unit] for unit in units(alone, near_duplicates(fingerprints))]
    return ordered([same for same in tied if len({image.example.sha256 for image in same}) > 1], exact=False)


def tied(near: Sequence[Copies], images: Sequence[AuditedImage]) -> list[tuple[int, int]]:
    """Pairs of indices into `images` that connect the images of each set."""
    place = {image.path: index for index, image in enumerate(images)}
    return [
        pair
        for copies in near
        for pair in pairwise(place[image.path] for image in copies.images if image.path in place)
    ]


def groups_across_splits(images: Sequence[AuditedImage]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The user's groups, such as photographers, that are in more than one split, with these splits."""
    splits: dict[str, set[str]] = defaultdict(set)
    for image in images:
        if image.example.group and image.example.split:
            splits[image.example.group].add(image.example.split)
    return tuple(
        (group, tuple(split for split in SPLITS if split in there))
        for group, there in sorted(splits.items())
        if len(there) > 1
    )


def ordered(sets: Sequence[Sequence[AuditedImage]], exact: bool) -> tuple[Copies, ...]:
    """Sets by seriousness: contradicting labels first, then sets across splits, then larger sets."""
    copies = [Copies(tuple(sorted(same, key=lambda image: image.path)), exact) for same in sets]
    return tuple(
        sorted(
            copies,
            key=lambda c: (len(c.labels) < 2, len(c.splits) < 2, -len(c.images), c.images[0].path),
        )
    )
