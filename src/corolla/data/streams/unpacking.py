"""Lists a source of shards: validation, test and some training images are unpacked as files into the cache.

Everything except training itself (checks, evaluation, reports, explanations, linear probes, teachers) works on these
files as on any others. They are named by their hash, and their folder by the hash of the source.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from corolla.cache import cache_folder, new_folder
from corolla.data.decoding import suffix_of
from corolla.data.listing import RawDataset
from corolla.data.manifest import Example, Manifest, Split
from corolla.data.progress import Progress
from corolla.data.shards.reading import read_samples
from corolla.data.shards.samples import Sample
from corolla.data.splitting import Fractions
from corolla.data.stream import ImageStream, Part, gone
from corolla.data.streams.catalog import ShardChunk, ShardIndex, catalog_of
from corolla.data.streams.finding import ShardFiles, find
from corolla.data.streams.holdout import Places, hold_out, labels_of, sample_of
from corolla.errors import CorollaError
from corolla.inputs.tars import DamageError

MEASURED: Fractions = (0.0, 0.0, 1.0)  # no training images
VERSION = 2  # of the unpacked files and their names
STREAM_FILE = "stream.json"  # beside the images


@dataclass(frozen=True)
class Order:
    """Samples of one piece to unpack for a split; all of them if `places` is None."""

    piece: int
    split: Split | Literal[""]
    places: frozenset[int] | None


def list_stream(found: ShardFiles, seed: int, fractions: Fractions, progress: Progress | None = None) -> RawDataset:
    """List a source of shards; the `stream` has all training images. Raises `CorollaError`.

    With the fractions `MEASURED`, files without a split in their names have none, and all their images are unpacked.
    """
    catalog = catalog_of(found, progress, "" if fractions == MEASURED else "train")
    held = hold_out(catalog, seed, fractions)
    stream = stream_of(catalog, held, seed, fractions)
    others = [f"{piece.split}: {piece.content}" for piece in catalog.pieces if piece.split != "train"]
    key = "/".join([str(VERSION), stream.digest, str(seed), *others, *sorted(catalog.names)])
    folder = cache_folder() / "streams" / hashlib.sha256(key.encode()).hexdigest()[:32]
    try:
        examples = unpacked(folder)
        if examples is None:
            shutil.rmtree(folder, ignore_errors=True)  # the rest of a damaged folder
            with new_folder(folder) as unfinished:
                orders = orders_of(catalog, held, sample_of(catalog, held, seed))
                examples = tuple(unpack(catalog, orders, unfinished, progress))
                Manifest(unfinished, examples).save(unfinished / "manifest.csv")
        if stream.parts:
            stream.save(folder / STREAM_FILE)
    except OSError as error:
        raise CorollaError(
            f"cannot unpack images of {catalog.source} into {cache_folder()}: {error.strerror or error}; "
            "make room, or set COROLLA_CACHE to a folder on another disk"
        ) from None
    classes = catalog.classes()
    for split in held:
        classes[split] = classes["train"]
    return RawDataset(folder, examples, classes, catalog.misplaced, stream=stream if stream.parts else None)


def unpacked(folder: Path) -> tuple[Example, ...] | None:
    """The images unpacked into a folder, or None if any is missing."""
    try:
        examples = Manifest.load(folder / "manifest.csv", folder).examples
    except (CorollaError, OSError):
        return None
    return examples if all((folder / example.path).is_file() for example in examples) else None


def restore(manifest: Manifest, origin: dict[str, Any]) -> Manifest:
    """A run's manifest with the stream described by `origin`; fills an emptied cache again.

    Raises `CorollaError` if the source is missing or has changed.
    """
    try:
        source, seed, digest = str(origin["source"]), int(origin["seed"]), str(origin["digest"])
        train, val, test = map(float, origin["fractions"])
    except (ValueError, TypeError, KeyError):
        raise CorollaError(f"the run of {manifest.root} does not say which images it streamed") from None
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # the cache is empty, or another user's
        stream = ImageStream.load(manifest.root / STREAM_FILE)
        if stream.digest == digest and unpacked(manifest.root) is not None:
            return replace(manifest, stream=stream)
    found = find(source)
    if found is None:
        raise CorollaError(f"the images of this run were read from {source}, which is not there any more")
    listing = list_stream(found, seed, (train, val, test))
    if listing.stream is None or listing.stream.digest != digest:
        raise CorollaError(f"{source} has changed since this run started; restore the old files, or train anew")
    return replace(manifest, root=listing.root, stream=listing.stream)


def stream_of(catalog: ShardIndex, held: dict[Split, Places], seed: int, fractions: Fractions) -> ImageStream:
    """The images of the training pieces that are not held out."""
    classes = tuple(sorted(set(catalog.names.values())))
    number = {name: place for place, name in enumerate(classes)}
    counts: Counter[str] = Counter()
    parts: list[Part] = []
    for place, piece in enumerate(catalog.pieces):
        if piece.split != "train":
            continue
        away = np.sort(np.concatenate([some[place] for some in held.values() if place in some] or [np.empty(0, int)]))
        for word, count in piece.counts.items():
            counts[catalog.names[word]] += count
        if len(away):
            counts.subtract(classes[label] for label in labels_of(piece, catalog, classes)[away])
        if piece.total > len(away):
            left, size = piece.total - len(away), piece.path.stat().st_size
            held_here = tuple(away.tolist())
            parts.append(Part(piece.path, piece.number, left, size, piece.bytes, piece.content, held_here))
    words = {word: number[name] for word, name in catalog.names.items()}
    numbers = tuple(counts[name] for name in classes)
    return ImageStream(catalog.source, seed, fractions, classes, numbers, words, tuple(parts))


def orders_of(catalog: ShardIndex, held: dict[Split, Places], sample: Places) -> list[Order]:
    """The samples to unpack, piece by piece."""
    orders = [Order(place, piece.split, None) for place, piece in enumerate(catalog.pieces) if piece.split != "train"]
    for split, places in (*held.items(), ("train", sample)):
        orders += [Order(place, split, frozenset(some.tolist())) for place, some in places.items()]
    return sorted(orders, key=lambda order: order.piece)


def unpack(catalog: ShardIndex, orders: list[Order], folder: Path, progress: Progress | None) -> Iterator[Example]:
    """Write the images into a new folder and yield their examples."""
    seen: Counter[str] = Counter()
    for done, order in enumerate(orders, start=1):
        for sample, content in ordered(catalog.pieces[order.piece], order.places):
            sha256 = hashlib.sha256(content).hexdigest()
            seen[sha256] += 1
            # A copy gets its own row and file: an image counts as often as it occurs.
            copy = f"-{seen[sha256]}" if seen[sha256] > 1 else ""
            path = f"{sha256[:2]}/{sha256}{copy}{suffix_of(content)}"
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
            yield Example(path, catalog.names[sample.word], order.split, sample.group, sha256)
        if progress:
            progress("unpacking", done, len(orders))


def ordered(piece: ShardChunk, places: frozenset[int] | None) -> Iterator[tuple[Sample, bytes]]:
    """The samples of a piece at `places`, or all, with their images, up to the first damage."""
    try:
        for sample in read_samples(piece.path, piece.number, lambda place: places is None or place in places):
            if sample.content is not None:
                yield sample, sample.content
    except DamageError:
        pass  # the catalog has reported it
    except OSError as error:
        raise gone(piece.path, error) from None
