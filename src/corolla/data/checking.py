"""Opens every image once: unreadable images are listed with the reason, the others are hashed.

Results are cached by path, size, mtime and ctime, so that a second run over the same images only calls `stat`. The
last line of the cache file is a checksum of the others: a flipped bit discards the cache and never gives a wrong hash.
Failures are not cached: the user may be about to fix them.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import PIL

from corolla.atomic import write_with
from corolla.cache import cache_folder, sha256_of
from corolla.data.decoding import ImageError, read_with_header
from corolla.data.depths import note_on
from corolla.data.duplicates import FINGERPRINT_BYTES, fingerprint
from corolla.data.manifest import Example, Manifest, Skipped
from corolla.data.progress import Progress
from corolla.errors import CorollaError, few
from corolla.text import count

MISSING = "no such file"
_BATCH = 32
_DRAFT = 64  # enough for a 17 x 16 fingerprint; a JPEG's whole stream is still decoded, which detects damage
_FORMAT = f"4 {PIL.__version__}"  # another version of Pillow may read other files


@dataclass(frozen=True)
class Checked:
    """Readable images with `sha256` filled in, a fingerprint for each (same order), and the skipped images."""

    examples: tuple[Example, ...]
    fingerprints: tuple[bytes, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()  # warnings about the whole set


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of one readable file."""

    size: int
    changed: int  # mtime in nanoseconds
    touched: int  # ctime, which nobody can set: it reveals a replaced file with the same size and mtime
    sha256: str
    fingerprint: bytes
    bits: int  # as in `corolla.data.decoding.Header`


def check(
    root: Path, examples: Sequence[Example], *, strict: bool = False, progress: Progress | None = None
) -> Checked:
    """Open every example under `root`, in threads.

    With `strict`, the first unreadable image (in the given order) raises `CorollaError`.
    """
    remembered = _recall(root)
    kept: list[Example] = []
    fingerprints: list[bytes] = []
    bits: list[int] = []
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
                bits.append(result.bits)
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
    notes = [note] if (note := note_on(bits)) else []
    return Checked(tuple(kept), tuple(fingerprints), tuple(skipped), tuple(notes))


def refuse_changed(manifest: Manifest, progress: Progress | None = None) -> None:
    """Raise `CorollaError` if images are missing or their sha256 differs from the manifest's."""
    if not manifest.root.is_dir():
        raise CorollaError(f"the image folder {manifest.root} is missing; restore it and resume")
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
            f"{len(faults)} of {count(len(known), 'image')} under {manifest.root} "
            f"{'is' if len(faults) == 1 else 'are'} missing or changed since this "
            f"training began ({few(faults)}); restore them and resume, or start a new run with another --out"
        )


def _look(path: Path, before: _Found | None) -> _Found | str:
    """The file's hash and fingerprint, or the reason why it is not a readable image."""
    try:
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if before and (before.size, before.changed, before.touched) == state:
            return before
        # First the image, then the hash: a file that is not an image (a video, an archive) is not read to its end.
        image, header = read_with_header(path, draft=_DRAFT)
        return _Found(*state, sha256_of(path), fingerprint(image), header.bits)
    except ImageError as error:
        return error.reason
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"


def _memory(root: Path) -> Path:
    name = hashlib.sha256(str(root.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_folder() / "checked" / f"{name[:32]}.jsonl"


def _recall(root: Path) -> dict[str, _Found]:
    """The cached results of an earlier run for the files under `root`; empty if the cache is missing or damaged."""
    digest, known = hashlib.sha256(), dict[str, _Found]()
    try:
        with _memory(root).open(encoding="utf-8") as lines:
            if json.loads(first := next(lines, "")) != {"format": _FORMAT}:
                return {}
            digest.update(first.encode())
            for line in lines:
                if not line.startswith("["):  # the last one
                    return known if line == f"{digest.hexdigest()}\n" else {}
                digest.update(line.encode())
                path, *rest = json.loads(line)
                known[path] = _found(*rest)
    except (OSError, ValueError, TypeError):
        pass
    return {}


def _found(size: int, changed: int, touched: int, sha256: str, fingerprint: str, bits: int) -> _Found:
    found = _Found(size, changed, touched, sha256, bytes.fromhex(fingerprint), int(bits))
    if len(found.fingerprint) != FINGERPRINT_BYTES or len(bytes.fromhex(sha256)) != hashlib.sha256().digest_size:
        raise ValueError("not a line that corolla wrote")
    return found


def _remember(root: Path, known: dict[str, _Found]) -> None:
    def lines() -> Iterator[str]:  # one by one: a single string would double the memory
        yield json.dumps({"format": _FORMAT}) + "\n"
        for path, f in known.items():
            yield json.dumps([path, f.size, f.changed, f.touched, f.sha256, f.fingerprint.hex(), f.bits]) + "\n"

    def write(temporary: Path) -> None:
        digest = hashlib.sha256()
        with temporary.open("wb") as file:
            for line in lines():
                file.write(line.encode())
                digest.update(line.encode())
            file.write(f"{digest.hexdigest()}\n".encode())

    with suppress(OSError):  # without a writable cache, the next run only takes longer
        write_with(_memory(root), write)
