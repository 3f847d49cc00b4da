"""Opens every picture once: what cannot be read is listed with its reason, the rest is hashed.

Results are remembered in the cache folder by path, size and times of change, so that a second run over the
same pictures only asks for those; the first line of that file is the checksum of the rest, so that a flipped bit means
forgotten and never a wrong hash. Failures are not remembered: the user may be about to mend them.
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

from corolla.atomic import write_text
from corolla.data.cache import cache_folder
from corolla.data.decoding import PictureError, read_picture
from corolla.data.duplicates import FINGERPRINT_BYTES, fingerprint
from corolla.data.hashing import sha256_of
from corolla.data.manifest import Example, Manifest, Skipped
from corolla.data.progress import Progress
from corolla.errors import CorollaError, few

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
    touched: int  # ctime, which nobody can set: a file put in another's place, with its size and time, has its own
    sha256: str
    fingerprint: bytes


def check(
    root: Path, examples: Sequence[Example], *, strict: bool = False, progress: Progress | None = None
) -> Checked:
    """Open every example under `root`, in threads.

    With `strict`, the first picture (in the order given) that cannot be read raises `CorollaError`.
    """
    remembered = _recall(root)
    known: dict[str, _Found] = {}
    kept: list[Example] = []
    skipped: list[Skipped] = []

    def look_at(batch: Sequence[Example]) -> list[_Found | str]:
        return [_look(root / example.path, remembered.get(example.path)) for example in batch]

    batches = [examples[start : start + _BATCH] for start in range(0, len(examples), _BATCH)]
    pool = ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 2))
    try:
        results = itertools.chain.from_iterable(pool.map(look_at, batches))
        for done, (example, result) in enumerate(zip(examples, results, strict=True), start=1):
            if isinstance(result, _Found):
                known[example.path] = result
                kept.append(replace(example, sha256=result.sha256))
            elif strict:
                raise CorollaError(f"cannot read {root / example.path}: {result}")
            else:
                skipped.append(Skipped(example.path, result))
            if progress and (done % _BATCH == 0 or done == len(examples)):
                progress("checking", done, len(examples))
    finally:
        pool.shutdown(cancel_futures=True)
        if known.keys() - remembered.keys() or any(known[path] is not remembered[path] for path in known):
            _remember(root, remembered | known)
    return Checked(tuple(kept), tuple(known[example.path].fingerprint for example in kept), tuple(skipped))


def refuse_changed(manifest: Manifest, progress: Progress | None = None) -> None:
    """`CorollaError` if pictures of a training are gone or are others than when it began, by the manifest's sha256."""
    if not manifest.root.is_dir():
        raise CorollaError(f"the folder of the pictures, {manifest.root}, is not there; bring it back and go on")
    known = [example for example in manifest.examples if example.sha256]
    checked = check(manifest.root, known, progress=progress)
    hashes = {example.path: example.sha256 for example in checked.examples}
    reasons = {skipped.path: skipped.reason for skipped in checked.skipped}
    faults = [
        f"{example.path}: {reasons.get(example.path, 'changed')}"
        for example in known
        if hashes.get(example.path) != example.sha256
    ]
    if faults:
        raise CorollaError(
            f"{len(faults)} of {len(known)} pictures under {manifest.root} are not as they were when this "
            f"training began ({few(faults)}); put them back and go on, or start anew with another --out"
        )


def _look(path: Path, before: _Found | None) -> _Found | str:
    """The file's hash and fingerprint, or the reason why it is no readable picture."""
    try:
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if before and (before.size, before.changed, before.touched) == state:
            return before
        # First the picture, then the hash: whatever is no picture (a film, an archive) is not read to its
        # end.
        bits = fingerprint(read_picture(path, draft=_DRAFT))
        return _Found(*state, sha256_of(path), bits)
    except PictureError as error:
        return error.reason
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"


def _memory(root: Path) -> Path:
    name = hashlib.sha256(str(root.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_folder() / "checked" / f"{name[:32]}.json"


def _recall(root: Path) -> dict[str, _Found]:
    """What an earlier run wrote down about the files under `root`; nothing if that is missing or damaged."""
    try:
        checksum, _, text = _memory(root).read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(text.encode()).hexdigest() != checksum:
            return {}
        content = json.loads(text)
        if content["format"] != _FORMAT:
            return {}
        return {path: _found(*row) for path, row in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _found(size: int, changed: int, touched: int, sha256: str, bits: str) -> _Found:
    found = _Found(size, changed, touched, sha256, bytes.fromhex(bits))
    if len(found.fingerprint) != FINGERPRINT_BYTES or len(bytes.fromhex(sha256)) != hashlib.sha256().digest_size:
        raise ValueError("not a line that was written here")
    return found


def _remember(root: Path, known: dict[str, _Found]) -> None:
    files = {path: (f.size, f.changed, f.touched, f.sha256, f.fingerprint.hex()) for path, f in known.items()}
    text = json.dumps({"format": _FORMAT, "files": files})
    with suppress(OSError):  # a cache folder that cannot be written to costs time, not the run
        write_text(_memory(root), f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
