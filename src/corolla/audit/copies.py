"""Files that are the same photograph, inside a split or across, under one class or under several."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from corolla.audit.findings import Copies, Picture
from corolla.data.duplicates import near_duplicates
from corolla.data.manifest import SPLITS
from corolla.data.splitting import units


def exact_copies(pictures: Sequence[Picture]) -> tuple[Copies, ...]:
    """Sets of pictures whose files hold the same bytes."""
    by_content: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_content[picture.example.sha256].append(picture)
    return ordered([same for same in by_content.values() if len(same) > 1], exact=True)


def near_copies(pictures: Sequence[Picture], fingerprints: Sequence[bytes]) -> tuple[Copies, ...]:
    """Sets of pictures tied by near-duplicates, exact ones among them; at least two of a set are not the same bytes.

    `fingerprints` are those of `corolla.data.duplicates`, in the same order.
    """
    alone = [replace(picture.example, group="") for picture in pictures]  # a user's group is no photograph
    tied = [[pictures[place] for place in unit] for unit in units(alone, near_duplicates(fingerprints))]
    return ordered([same for same in tied if len({picture.example.sha256 for picture in same}) > 1], exact=False)


def tied(near: Sequence[Copies], pictures: Sequence[Picture]) -> list[tuple[int, int]]:
    """Pairs of places in `pictures` that connect those of each set that are among them."""
    place = {picture.path: index for index, picture in enumerate(pictures)}
    return [
        pair
        for copies in near
        for pair in pairwise(place[picture.path] for picture in copies.pictures if picture.path in place)
    ]


def groups_across_splits(pictures: Sequence[Picture]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The user's groups, such as photographers, that stand in more than one split, with those splits."""
    splits: dict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        if picture.example.group and picture.example.split:
            splits[picture.example.group].add(picture.example.split)
    return tuple(
        (group, tuple(split for split in SPLITS if split in there))
        for group, there in sorted(splits.items())
        if len(there) > 1
    )


def ordered(sets: Sequence[Sequence[Picture]], exact: bool) -> tuple[Copies, ...]:
    """What spoils a training most comes first: contradicting labels, then sets across splits, then the larger ones."""
    copies = [Copies(tuple(sorted(same, key=lambda picture: picture.path)), exact) for same in sets]
    return tuple(
        sorted(
            copies,
            key=lambda c: (len(c.labels) < 2, len(c.splits) < 2, -len(c.pictures), c.pictures[0].path),
        )
    )
