"""Opens every picture once: what cannot be read is listed with its reason, the rest is hashed.

Results are remembered in the cache folder by path, size and time of change, so that a second run over the
same pictures only asks for those. Failures are not remembered: the user may be about to mend them.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import PIL

from corolla.atomic import write_with
from corolla.data.cache import cache_folder
from corolla.data.decoding import PictureError, read_picture
from corolla.data.duplicates import FINGERPRINT_BYTES, fingerprint
from corolla.data.hashing import sha256_of
from corolla.data.manifest import Example, Skipped
from corolla.data.progress import Progress
from corolla.errors import CorollaError

_BATCH = 32
_DRAFT = 64  # enough for a 17 x 16 fingerprint; a JPEG's whole stream is still decoded, so that damage shows
_FORMAT = f"2 {PIL.__version__}"  # another Pillow may read what this one could not, or the other way round


@dataclass(frozen=True)
class Checked:
    """Readable pictures with `sha256` filled in, a fingerprint for each (same order), and the others."""

    examples: tuple[Example, ...]
    fingerprints: tuple[bytes, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of one readable file."""

    size: int
    changed: int  # mtime in nanoseconds
    sha256: str
    fingerprint: bytes


def check(
    root: Path, examples: Sequence[Example], *, strict: bool = False, progress: Progress | None = None
) -> Checked:
    """Open every example under `root`, in threads.

    With `strict`, the first picture (in the order given) that cannot be read raises `CorollaError`.
    """
    remembered = _recall(root)
    kept: list[Example] = []
    fingerprints: list[bytes] = []
    news = False
    skipped: list[Skipped] = []

    def look_at(batch: Sequence[Example]) -> list[_Found | str]:
        return [_look(root / example.path, remembered.get(example.path)) for example in batch]

    batches = [examples[start : start + _BATCH] for start in range(0, len(examples), _BATCH)]
    pool = ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 2))
    try:
        results = itertools.chain.from_iterable(pool.map(look_at, batches))
        for done, (example, result) in enumerate(zip(examples, results, strict=True), start=1):
            if isinstance(result, _Found):
                if remembered.get(example.path) is not result:
                    remembered[example.path], news = result, True
                fingerprints.append(result.fingerprint)
                kept.append(replace(example, sha256=result.sha256))
            elif strict:
                raise CorollaError(f"cannot read {root / example.path}: {result}")
            else:
                skipped.append(Skipped(example.path, result))
            if progress and (done % _BATCH == 0 or done == len(examples)):
                progress("checking", done, len(examples))
    finally:
        pool.shutdown(cancel_futures=True)
        if news:
            _remember(root, remembered)
    return Checked(tuple(kept), tuple(fingerprints), tuple(skipped))


def _look(path: Path, before: _Found | None) -> _Found | str:
    """The file's hash and fingerprint, or the reason why it is no readable picture."""
    try:
        status = path.stat()
        if before and (before.size, before.changed) == (status.st_size, status.st_mtime_ns):
            return before
        # First the picture, then the hash: whatever is no picture (a film, an archive) is not read to its
        # end.
        bits = fingerprint(read_picture(path, draft=_DRAFT))
        return _Found(status.st_size, status.st_mtime_ns, sha256_of(path), bits)
    except PictureError as error:
        return error.reason
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"


def _memory(root: Path) -> Path:
    name = hashlib.sha256(str(root.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_folder() / "checked" / f"{name[:32]}.jsonl"


def _recall(root: Path) -> dict[str, _Found]:
    """What an earlier run wrote down about the files under `root`; nothing if that is missing or damaged."""
    try:
        with _memory(root).open(encoding="utf-8") as lines:
            if json.loads(next(lines, "")) != {"format": _FORMAT}:
                return {}
            return {path: _found(*rest) for path, *rest in map(json.loads, lines)}
    except (OSError, ValueError, TypeError):
        return {}


def _found(size: int, changed: int, sha256: str, bits: str) -> _Found:
    found = _Found(size, changed, sha256, bytes.fromhex(bits))
    if len(found.fingerprint) != FINGERPRINT_BYTES or len(bytes.fromhex(sha256)) != hashlib.sha256().digest_size:
        raise ValueError("not a line that was written here")
    return found


def _remember(root: Path, known: dict[str, _Found]) -> None:
    def write(file: Path) -> None:
        with file.open("w", encoding="utf-8") as lines:  # line by line: all of it as one text takes as much again
            lines.write(json.dumps({"format": _FORMAT}) + "\n")
            for path, f in known.items():
                lines.write(json.dumps([path, f.size, f.changed, f.sha256, f.fingerprint.hex()]) + "\n")

    with suppress(OSError):  # a cache folder that cannot be written to costs time, not the run
        write_with(_memory(root), write)
