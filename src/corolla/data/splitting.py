"""Splits the images into train, val and test.

The split is stratified, seeded and never divides a group: images joined by the user's group, by identical
content or as near-duplicates. It depends only on the images' contents, labels and groups, not on
names or order.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from corolla.data.manifest import SPLITS, Example, Split
from corolla.errors import CorollaError, few

Fractions = tuple[float, float, float]
FRACTIONS: Fractions = (0.70, 0.15, 0.15)


class TooFewError(CorollaError):
    """A class has too few independent groups of images for all splits."""


def units(examples: Sequence[Example], alike: Iterable[tuple[int, int]] = ()) -> list[list[int]]:
    """Indices of the examples that must stay together, joined by group, sha256 and the pairs in `alike`."""
    parent = list(range(len(examples)))

    def top(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    groups: dict[str, int] = {}
    contents: dict[str, int] = {}
    for position, example in enumerate(examples):
        for key, first in ((example.group, groups), (example.sha256, contents)):
            if key:
                parent[top(position)] = top(first.setdefault(key, position))
    for left, right in alike:
        parent[top(left)] = top(right)
    joined: dict[int, list[int]] = defaultdict(list)
    for position in range(len(examples)):
        joined[top(position)].append(position)
    return list(joined.values())


def split(
    examples: Sequence[Example],
    alike: Iterable[tuple[int, int]] = (),
    *,
    seed: int = 0,
    fractions: Fractions = FRACTIONS,
) -> tuple[Example, ...]:
    """Give every example a split and return them in the order given.

    Given splits stay; if all three are given, nothing is compared, which for very many images
    takes hours. A missing split is sampled from the training images in the ratio of
    `fractions` (train, val, test). Images that stay together without a user's group get a group name of their
    own, so that a saved manifest keeps them together too.

    Raises `CorollaError` if a class has too few groups for all splits, or there is nothing to train
    on.
    """
    _check_fractions(fractions)
    given = {example.split for example in examples if example.split}
    if given == set(SPLITS):
        return tuple(examples)
    joined = units(examples, alike)
    result = _name_groups(examples, joined)
    if given and "train" not in given:
        raise CorollaError(f"the data has {' and '.join(sorted(given))} but nothing to train on; add a train split")
    wanted = {
        name: fraction for name, fraction in zip(SPLITS, fractions, strict=True) if name == "train" or name not in given
    }
    free = [i for i, example in enumerate(examples) if example.split in ("", "train")]
    is_free = set(free)
    pools = [inside for unit in joined if (inside := [i for i in unit if i in is_free])]
    for name, positions in _assign(result, pools, wanted, seed).items():
        for position in positions:
            result[position] = replace(result[position], split=name)
    return tuple(result)


def _assign(
    examples: Sequence[Example], pools: list[list[int]], wanted: dict[Split, float], seed: int
) -> dict[Split, list[int]]:
    """Assign the groups, largest first, each to the split that lacks most of its classes."""
    labels = [Counter(examples[i].label for i in pool) for pool in pools]
    total = Counter(examples[i].label for pool in pools for i in pool)
    left = Counter(label for counts in labels for label in counts)  # unassigned groups, by class
    _check_enough(left, total, wanted)
    scale = sum(wanted.values())
    lacking = {
        name: {label: max(1.0, total[label] * share / scale) for label in total} for name, share in wanted.items()
    }
    # Breaks ties between splits that lack equally much of a class, so that no split always wins.
    # (fsum: bitwise equal for every order of the classes)
    room = {name: math.fsum(lacking[name].values()) for name in wanted}
    empty = {label: set(wanted) for label in total}  # splits without an image of a class so far
    dealt: dict[Split, list[int]] = {name: [] for name in wanted}

    def order(place: int) -> tuple[int, str]:
        content = min(examples[i].sha256 or examples[i].path for i in pools[place])
        return -len(pools[place]), hashlib.sha256(f"{seed} {content}".encode()).hexdigest()

    for place in sorted(range(len(pools)), key=order):
        counts = labels[place]
        # As many groups of a class left as splits without it: now only these splits may take them.
        forced = [empty[label] for label in counts if left[label] <= len(empty[label])]
        open_to = set.intersection(*forced) if forced else set(wanted)
        name = max(
            [name for name in wanted if name in open_to] or list(wanted),
            key=lambda name: (math.fsum(lacking[name][c] * n / total[c] for c, n in counts.items()), room[name]),
        )
        room[name] -= len(pools[place])
        for label, count in counts.items():
            lacking[name][label] -= count
            left[label] -= 1
            empty[label].discard(name)
        dealt[name] += pools[place]
    return dealt


def _check_enough(units_of: Counter[str], total: Counter[str], wanted: dict[Split, float]) -> None:
    lacking = [label for label in sorted(units_of) if units_of[label] < len(wanted)]
    if not lacking:
        return

    def described(label: str) -> str:
        sets = "" if units_of[label] == total[label] else f" in {units_of[label]} independent sets"
        return f"{label!r} has too few images ({total[label]}{sets})"

    others = f", and so have {few(map(repr, lacking[1:]), 5)}" if len(lacking) > 1 else ""
    raise TooFewError(
        f"class {described(lacking[0])}{others} to be split into {', '.join(wanted)}; "
        f"at least {len(wanted)} are needed: add some, or give a CSV with a split"
    )


def _name_groups(examples: Sequence[Example], joined: list[list[int]]) -> list[Example]:
    named = list(examples)
    for unit in joined:
        if len(unit) > 1 and not all(examples[i].group for i in unit):
            own = min((examples[i].group for i in unit if examples[i].group), default="")
            group = own or "alike-" + min(examples[i].sha256 or examples[i].path for i in unit)[:12]
            for i in unit:
                named[i] = replace(examples[i], group=examples[i].group or group)
    return named


def _check_fractions(fractions: Fractions) -> None:
    if len(fractions) != len(SPLITS) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise CorollaError(f"the fractions {fractions} must be three positive numbers that add up to 1")
