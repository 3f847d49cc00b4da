"""`corolla data shard`: writes any source as WebDataset tars, with a list of their contents.

Image bytes are copied unchanged. Headers have neither times nor owners, so that the same data gives the same
files. A journal lists the complete shards, so that an interrupted command resumes after them.
"""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corolla.atomic import refuse_occupied, write_json, write_with
from corolla.cache import sha256_of
from corolla.data.decoding import suffix_of
from corolla.data.layout import ClassFolders
from corolla.data.manifest import SPLITS, Example, Manifest, Split
from corolla.data.progress import Progress
from corolla.data.sources import Duplicates, load_data
from corolla.data.streams.catalog import FORMAT
from corolla.data.streams.finding import INDEX
from corolla.errors import CorollaError
from corolla.paths import AnyPath, at, is_system_file

JOURNAL = "unfinished.json"
MEGABYTES = 256.0


@dataclass(frozen=True)
class Shard:
    """A tar to write: its name, its split, and its images, the first of which has the number `first` in the split."""

    name: str
    split: Split
    first: int
    examples: tuple[Example, ...]


def write_shards(
    source: AnyPath,
    folder: AnyPath,
    *,
    images: int | None = None,
    megabytes: float | None = None,
    seed: int = 0,
    class_folders: ClassFolders = "",
    duplicates: Duplicates = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the images of a source into tar shards in `folder`, and return the content of `shards.json`.

    The source is checked and split as in `load_data`, and the training images are shuffled by `seed` so that every
    shard has all classes. A shard has at most `images` or `megabytes`, `MEGABYTES` if neither is given. Complete
    shards of an interrupted call stay. Raises `CorollaError`, also for a folder with other files in it.
    """
    folder = at(folder)
    manifest = load_data(source, seed=seed, class_folders=class_folders, duplicates=duplicates, progress=progress)
    if manifest.stream:
        raise CorollaError(f"{source} consists of shards already; train on it, or give the images it was made from")
    limit = (images, megabytes or (None if images else MEGABYTES))
    key = {
        "format": FORMAT,
        "classes": list(manifest.classes),
        "seed": seed,
        "digest": manifest.digest,
        "limit": list(limit),
        "skipped": [skipped.to_json() for skipped in manifest.skipped],
    }
    done = begin(folder, key)
    shards = list(plan(manifest, *limit, seed))
    try:
        write_all(manifest, folder, shards, key, done, progress)
        content = {**key, "shards": [done[shard.name] for shard in shards]}
        write_json(folder / INDEX, content)
        (folder / JOURNAL).unlink(missing_ok=True)
    except OSError as error:
        raise CorollaError(
            f"cannot write shards into {folder}: {error.strerror or error}; complete shards stay, and the same command "
            "resumes after them"
        ) from None
    return content


def begin(folder: Path, key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The complete shards of the same data and options, by name; rejects a folder with other files."""
    for file in (folder / INDEX, folder / JOURNAL):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            said = {row["name"]: row for row in content.pop("shards")}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if content != key:
            raise CorollaError(f"{folder} holds shards of other data or options; choose another folder")
        for pattern in (f".{Path(JOURNAL).stem}-*.json", f".{Path(INDEX).stem}-*.json", ".*.tar"):
            for left in folder.glob(pattern):  # by a killed process
                left.unlink(missing_ok=True)
        return {name: row for name, row in said.items() if is_whole(folder / name, row)}
    if not folder.is_dir() or any(not is_system_file(entry.name) for entry in folder.iterdir()):
        refuse_occupied(folder)
    write_json(folder / JOURNAL, {**key, "shards": []})
    return {}


def is_whole(file: Path, row: dict[str, Any]) -> bool:
    """Whether a shard is unchanged since it was written."""
    try:
        return (file.stat().st_size, sha256_of(file)) == (row["bytes"], row["sha256"])
    except OSError:
        return False


def plan(manifest: Manifest, images: int | None, megabytes: float | None, seed: int) -> Iterator[Shard]:
    """Assign the images to shards."""
    for split in SPLITS:
        examples = manifest.split(split)
        examples = spread(examples, seed) if split == "train" else examples
        number, first, size = 0, 0, 0
        for place, example in enumerate(examples):
            weight = manifest.locate(example).stat().st_size
            full = place - first == images or (megabytes is not None and size + weight > megabytes * 1e6)
            if full and place > first:
                yield Shard(f"{split}-{number:05d}.tar", split, first, tuple(examples[first:place]))
                number, first, size = number + 1, place, 0
            size += weight
        if examples:
            yield Shard(f"{split}-{number:05d}.tar", split, first, tuple(examples[first:]))


def spread(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """The images shuffled so that every stretch has each class in its proportion."""
    dice = np.random.default_rng(seed)
    order = dice.permutation(len(examples))
    count, seen = Counter(example.label for example in examples), Counter[str]()
    rolls, places = dice.random(len(examples)), np.empty(len(examples))
    for number in order:
        label = examples[number].label
        places[number] = (seen[label] + rolls[number]) / count[label]
        seen[label] += 1
    return tuple(examples[number] for number in np.argsort(places, kind="stable"))


def write_all(
    manifest: Manifest,
    folder: Path,
    shards: Sequence[Shard],
    key: dict[str, Any],
    done: dict[str, dict[str, Any]],
    progress: Progress | None,
) -> None:
    """Write the missing shards, and add them to `done` and to the journal."""
    total, written = len(manifest.examples), 0

    def tell(images: int) -> None:
        if progress:
            progress("writing shards", images, total)

    for shard in shards:
        if shard.name not in done:
            file, base = folder / shard.name, written
            write_with(file, lambda path: write_tar(path, shard, manifest, lambda n: tell(base + n)))  # noqa: B023
            done[shard.name] = {
                "name": shard.name,
                "split": shard.split,
                "images": len(shard.examples),
                "counts": dict(sorted(Counter(example.label for example in shard.examples).items())),
                "bytes": file.stat().st_size,
                "sha256": sha256_of(file),
            }
            write_json(folder / JOURNAL, {**key, "shards": list(done.values())})
        written += len(shard.examples)
        tell(written)


def write_tar(path: Path, shard: Shard, manifest: Manifest, tell: Callable[[int], None]) -> None:
    """Write one shard: for every image its file, its class index and its metadata, under one key."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for place, example in enumerate(shard.examples):
            content = read_unchanged(manifest, example)
            key = f"{shard.first + place:06d}"
            facts = {"label": example.label, "path": example.path, "group": example.group, "sha256": example.sha256}
            add(tar, key + suffix_of(content), content)
            add(tar, f"{key}.cls", str(manifest.class_index[example.label]).encode())
            add(tar, f"{key}.json", json.dumps(facts, ensure_ascii=False).encode())
            tell(place + 1)


def read_unchanged(manifest: Manifest, example: Example) -> bytes:
    """The bytes of an image file, which must be unchanged since the check."""
    path = manifest.locate(example)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != example.sha256:
        raise CorollaError(f"{path} was changed while the shards were being written; run the same command again")
    return content


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add one member, whose header has only its name and size."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
