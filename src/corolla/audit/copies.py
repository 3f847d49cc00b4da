"""Files that are the same photograph, inside a split or across, under one class or under several."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from corolla.audit.findings import AuditedImage, Copies
from corolla.data.duplicates import near_duplicates
from corolla.data.manifest import SPLITS
from corolla.data.splitting import units


def exact_copies(images: Sequence[AuditedImage]) -> tuple[Copies, ...]:
    """Sets of images whose files hold the same bytes."""
    by_content: dict[str, list[AuditedImage]] = defaultdict(list)
    for image in images:
        by_content[image.example.sha256].append(image)
    return ordered([same for same in by_content.values() if len(same) > 1], exact=True)


def near_copies(images: Sequence[AuditedImage], fingerprints: Sequence[bytes]) -> tuple[Copies, ...]:
    """Sets of images tied by near-duplicates, exact ones among them; at least two of a set are not the same bytes.

    `fingerprints` are those of `corolla.data.duplicates`, in the same order.
    """
    alone = [replace(image.example, group="") for image in images]  # a user's group is no photograph
    tied = [[images[place] for place in unit] for unit in units(alone, near_duplicates(fingerprints))]
    return ordered([same for same in tied if len({image.example.sha256 for image in same}) > 1], exact=False)


def tied(near: Sequence[Copies], images: Sequence[AuditedImage]) -> list[tuple[int, int]]:
    """Pairs of places in `images` that connect those of each set that are among them."""
    place = {image.path: index for index, image in enumerate(images)}
    return [
        pair
        for copies in near
        for pair in pairwise(place[image.path] for image in copies.images if image.path in place)
    ]


def groups_across_splits(images: Sequence[AuditedImage]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The user's groups, such as photographers, that stand in more than one split, with those splits."""
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
    """What spoils a training most comes first: contradicting labels, then sets across splits, then the larger ones."""
    copies = [Copies(tuple(sorted(same, key=lambda image: image.path)), exact) for same in sets]
    return tuple(
        sorted(
            copies,
            key=lambda c: (len(c.labels) < 2, len(c.splits) < 2, -len(c.images), c.images[0].path),
        )
    )
