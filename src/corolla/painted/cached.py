"""The data set `painted`: painted once into the cache, and verified at each use."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy
import PIL

from corolla.atomic import write_text
from corolla.cache import cache_folder, new_folder, sha256_of
from corolla.painted.dataset import paint_dataset, paint_files, places, refuse_strangers

SUMS = "images.sha256"  # as `sha256sum` writes it


def cached_set(count: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """The folder of `count` images of seed 0; missing or changed ones are painted.

    `progress` is called with (painted, to paint). Raises `CorollaError` if the folder has other files, which a
    training would use as images.
    """
    folder = cache_folder() / f"painted-{count}-{painter()}"
    if not folder.is_dir():
        with new_folder(folder) as unfinished:
            paint_dataset(unfinished, count, progress=progress)
            note_sums(unfinished, {file: sha256_of(unfinished / file) for file in places(count)})
        return folder
    refuse_strangers(folder, [*places(count), Path(SUMS)], "take it out, or name another folder by COROLLA_CACHE,")
    sums = noted_sums(folder)
    faulty = [file for file in places(count) if sums.get(file, "") != sum_of(folder / file)]
    if faulty:
        paint_files(folder, faulty, progress=progress)
        note_sums(folder, sums | {file: sha256_of(folder / file) for file in faulty})
    return folder


def painter() -> str:
    """A hash of everything that determines the pixels: images of another version are never reused."""
    made = hashlib.sha256(f"{numpy.__version__} {PIL.__version__}".encode())
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        made.update(file.read_bytes())
    return made.hexdigest()[:12]


def note_sums(folder: Path, sums: dict[Path, str]) -> None:
    """Write the sha256 of each file (relative to `folder`)."""
    write_text(folder / SUMS, "".join(f"{digest}  {file.as_posix()}\n" for file, digest in sums.items()))


def noted_sums(folder: Path) -> dict[Path, str]:
    """What `note_sums` wrote, without unreadable lines."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {Path(file): digest for digest, _, file in (line.partition("  ") for line in lines)}


def sum_of(file: Path) -> str | None:
    """The sha256 of a file, or None if it is not there."""
    try:
        return sha256_of(file)
    except OSError:
        return None
