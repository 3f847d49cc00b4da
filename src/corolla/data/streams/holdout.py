"""Selects the held-out samples of a stream, and the training samples that are unpacked where files are needed.

Missing validation and test splits are sampled from the training images, class by class, by a
seeded RNG. Only labels are known before an image is read, so near-duplicates are not kept in one split here;
`corolla data shard` does that, because it opens every image.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corolla.data.manifest import SPLITS, Split
from corolla.data.shards.index import index_of
from corolla.data.splitting import Fractions
from corolla.data.streams.catalog import ShardChunk, ShardIndex
from corolla.errors import CorollaError

MOST_HELD = 10_000  # images held out for a split, plus one per class
SAMPLE = 2048  # unpacked training images, plus `FEW` per class
FEW = 2

Places = dict[int, NDArray[np.int64]]  # from a piece's index in the catalog to its sample numbers, ascending


def hold_out(catalog: ShardIndex, seed: int, fractions: Fractions) -> dict[Split, Places]:
    """The training samples that become validation or test images, if these splits are missing."""
    missing = [split for split in SPLITS if not catalog.of(split)]
    if not missing or "train" in missing:  # also if no split is to be made
        return {}
    training = [(place, piece) for place, piece in enumerate(catalog.pieces) if piece.split == "train"]
    names = sorted(set(catalog.names.values()))
    labels = [labels_of(piece, catalog, names) for _, piece in training]
    rolls = [roll(seed, piece, len(some)) for (_, piece), some in zip(training, labels, strict=True)]
    label, ends = np.concatenate(labels), np.cumsum([0, *map(len, labels)])
    counts = np.bincount(label, minlength=len(names))
    order = np.lexsort((np.concatenate(rolls), label))  # class by class, each in random order
    begins = np.cumsum(counts) - counts
    held: dict[Split, Places] = {}
    for split, numbers in shares(counts, names, missing, fractions).items():
        chosen = np.sort(np.concatenate([order[b : b + n] for b, n in zip(begins, numbers, strict=True)]))
        begins = begins + numbers
        parts = np.split(chosen, np.searchsorted(chosen, ends[1:-1]))
        held[split] = {
            place: part - start for (place, _), start, part in zip(training, ends[:-1], parts, strict=True) if len(part)
        }
    return held


def shares(
    counts: NDArray[np.int64], names: Sequence[str], missing: Sequence[Split], fractions: Fractions
) -> dict[Split, NDArray[np.int64]]:
    """The number of samples of each class for each missing split."""
    share = dict(zip(SPLITS, fractions, strict=True))
    whole, total = sum(share[split] for split in missing) + share["train"], int(counts.sum())
    for name, count in zip(names, counts, strict=True):
        if 0 < count <= len(missing):
            raise CorollaError(
                f"class {name!r} has too few images ({count}) to be split into train, {', '.join(missing)}; "
                f"at least {len(missing) + 1} are needed: add some, or give shards of every split"
            )
    found: dict[Split, NDArray[np.int64]] = {}
    for split in missing:
        part = min(share[split] / whole, MOST_HELD / total)
        most = (counts - 1) // len(missing)  # one must remain for training
        found[split] = np.minimum(np.maximum(np.round(counts * part), 1), most).astype(np.int64)
    return found


def sample_of(catalog: ShardIndex, held: dict[Split, Places], seed: int) -> Places:
    """Training samples of every class, as balanced as possible, from as few pieces as possible."""
    names = sorted(set(catalog.names.values()))
    training = [place for place, piece in enumerate(catalog.pieces) if piece.split == "train"]
    wanting = np.full(len(names), max(FEW, SAMPLE // max(len(names), 1)), np.int64)
    number = {name: place for place, name in enumerate(names)}
    taken: Places = {}
    for place in sorted(training, key=lambda place: _digest(seed, "sample", catalog.pieces[place].content, place)):
        piece = catalog.pieces[place]
        if not any(wanting[number[catalog.names[word]]] for word in piece.counts):
            continue
        labels = labels_of(piece, catalog, names)
        free = np.ones(len(labels), bool)
        for places in held.values():
            free[places.get(place, np.empty(0, np.int64))] = False
        chosen = []
        for label in np.flatnonzero(wanting):
            some = np.flatnonzero(free & (labels == label))[: wanting[label]]
            wanting[label] -= len(some)
            chosen.append(some)
        if len(inside := np.sort(np.concatenate(chosen))):
            taken[place] = inside
    return taken


def labels_of(piece: ShardChunk, catalog: ShardIndex, names: Sequence[str]) -> NDArray[np.int64]:
    """The class of every sample of a piece, as an index into `names`."""
    index, number = index_of(piece.path), {name: place for place, name in enumerate(names)}
    if piece.number >= len(index.pieces) or not set(index.vocabulary) <= catalog.names.keys():
        raise CorollaError(f"{piece.path} is damaged ({index.fault or 'its labels are unknown'}); make it again")
    meaning = np.array([number[catalog.names[word]] for word in index.vocabulary], np.int64)
    return meaning[index.pieces[piece.number]]


def roll(seed: int, piece: ShardChunk, count: int) -> NDArray[np.float64]:
    """A random number for each sample of a piece, determined by the seed and the file's name."""
    drawn = _digest(seed, "held", piece.path.name, piece.number)
    return np.random.Generator(np.random.Philox(key=drawn)).random(count)


def _digest(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest(), "big")
