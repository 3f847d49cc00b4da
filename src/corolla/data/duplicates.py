"""Finds near-duplicates: copies of a photograph, other sizes, other compression, the next frame of a burst.

A fingerprint is a 256-bit difference hash (Krawetz 2013, "Kind of Like That"): the image is resized to 17 x
16 grays, and a bit says whether a cell is clearly brighter than its left neighbor. Two images are
near-duplicates if their fingerprints' Jaccard distance (bits that differ / bits set in either) is at most
`THRESHOLD`. Dividing by the bits that are set, and not by 256, separates drawings and scans on an empty
background, whose fingerprints are mostly zeros.

`THRESHOLD` was chosen on flower_photos: it finds all 6 known pairs of duplicates and 9 further pairs, each
by one photographer; no pair by different photographers is within twice this distance. Copies of these
photographs saved at half the size with JPEG quality 30 are found in 94 % of cases.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from corolla.data.manifest import Example
from corolla.data.progress import Progress

THRESHOLD = 0.15
FINGERPRINT_BYTES = 32
_SIDE = 16
_CLEARLY = 2  # gray levels of 255: less is noise and compression
_BLOCK = 2048  # rows compared at a time: limits the memory to a few MB per thousand images


def fingerprint(image: Image.Image) -> bytes:
    """The 256-bit difference hash of an image, as 32 bytes."""
    small = image.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    gray = np.asarray(small, dtype=np.int16)
    return np.packbits(gray[:, 1:] - gray[:, :-1] > _CLEARLY).tobytes()


def near_duplicates(fingerprints: Sequence[bytes], progress: Progress | None = None) -> Iterator[tuple[int, int]]:
    """Pairs of indices of near-duplicate images; together the pairs connect each group.

    Images with equal fingerprints are chained, not paired each with each. Images without a set bit (one
    flat color) match nothing. Compares every pair of different fingerprints with a similar number of set bits,
    by matrix multiplications: under a minute for 100,000 photographs, a hundred times that for
    ten times as many, with memory that grows linearly. Long runs call `progress("comparing", done, of)`.
    """
    positions: dict[bytes, list[int]] = defaultdict(list)
    for position, bits in enumerate(fingerprints):
        if any(bits):
            positions[bits].append(position)
    for same in positions.values():
        yield from itertools.pairwise(same)
    if len(positions) > 1:
        first = [same[0] for same in positions.values()]
        packed = np.frombuffer(b"".join(positions), np.uint8).reshape(len(positions), FINGERPRINT_BYTES)
        for left, right in _close_rows(packed, progress):
            yield first[left], first[right]


def _close_rows(packed: npt.NDArray[np.uint8], progress: Progress | None) -> Iterator[tuple[int, int]]:
    count = np.unpackbits(packed, axis=1).sum(axis=1, dtype=np.int32).astype(np.float32)
    order = np.argsort(count, kind="stable")
    packed, count = packed[order], count[order]
    # |A and B| / |A or B| reaches 1 - THRESHOLD only if |A| >= (1 - THRESHOLD) |B|: sorted, a window.
    ends = np.searchsorted(count, count / (1 - THRESHOLD), side="right")
    # The same as |A and B| - needed |A| - needed |B| >= 0: one matrix multiplication with two extra columns.
    needed = (1 - THRESHOLD) / (2 - THRESHOLD)
    for start in range(0, len(packed), _BLOCK):
        rows = _with_columns(packed[start : start + _BLOCK], -needed * count[start : start + _BLOCK], -needed)
        for column in range(start, int(ends[start : start + _BLOCK].max()), _BLOCK):
            others = _with_columns(packed[column : column + _BLOCK], 1.0, count[column : column + _BLOCK])
            for left, right in np.argwhere(rows @ others.T >= -1e-3):
                if start + left < column + right:
                    yield int(order[start + left]), int(order[column + right])
        if progress and len(packed) > _BLOCK:
            progress("comparing", min(start + _BLOCK, len(packed)), len(packed))


def _with_columns(
    packed: npt.NDArray[np.uint8],
    first: npt.NDArray[np.float32] | float,
    second: npt.NDArray[np.float32] | float,
) -> npt.NDArray[np.float32]:
    bits = np.empty((len(packed), 8 * FINGERPRINT_BYTES + 2), np.float32)
    bits[:, :-2] = np.unpackbits(packed, axis=1)
    bits[:, -2] = first
    bits[:, -1] = second
    return bits


def contradictions(examples: Iterable[Example]) -> list[tuple[Example, ...]]:
    """Groups of examples with the same content (sha256) but different labels, ordered by path."""
    by_content: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.sha256:
            by_content[example.sha256].append(example)
    clashing = [same for same in by_content.values() if len({example.label for example in same}) > 1]
    return sorted((tuple(sorted(same, key=lambda e: e.path)) for same in clashing), key=lambda same: same[0].path)
