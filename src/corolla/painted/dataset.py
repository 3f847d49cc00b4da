"""The painted data set: one image by kind and seed, or a class-per-folder tree of images."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from corolla.atomic import write_bytes
from corolla.errors import CorollaError
from corolla.host import processors
from corolla.lock import locked
from corolla.painted.image import KINDS, jpeg
from corolla.painted.painters import painted
from corolla.paths import AnyPath, at, is_system_file

SEED_STRIDE = 1_000_000  # data sets of different seeds have no common images
FEWEST = 100  # images per process that outweigh its start time of one second


def paint_dataset(
    folder: AnyPath,
    count: int,
    *,
    size: int = 160,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Paint `count` JPEG images into `folder`, one folder per kind (`daisy/painted-00000.jpg`, ...), and return it.

    The counts of the kinds differ by at most one. Large sets are painted by one process per core, or by
    `processes`; the files are the same. `progress` is called with (painted, count) at the start and after each
    image. Files are written atomically, and a second call resumes an interrupted one. Raises
    `CorollaError` if the folder contains other files, so that no foreign image ends up in a class, or if another
    process is painting there.
    """
    folder = at(folder)
    if count < len(KINDS):
        raise CorollaError(f"cannot paint {count} images; ask for {len(KINDS)} or more, one of each kind")
    if processes is not None and processes < 1:
        raise CorollaError(f"cannot paint with {processes} processes; choose an integer of 1 or more")
    images = places(count)
    refuse_strangers(folder, images)
    with locked(folder, "painting"):
        for half_written in leftovers(folder):
            half_written.unlink()
        paint_files(folder, images, size=size, seed=seed, processes=processes, progress=progress)
    return folder


def places(count: int) -> list[Path]:
    """The files of a set of `count` images, relative to its folder; the kinds alternate."""
    numbers = range(-(-count // len(KINDS)))
    return [Path(kind) / f"painted-{number:05d}.jpg" for number in numbers for kind in KINDS][:count]


def paint_files(
    folder: Path,
    files: Sequence[Path],
    *,
    size: int = 160,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Paint the files `places` of a set, replacing existing ones; otherwise like `paint_dataset`."""
    first = seed * SEED_STRIDE
    wanted = [(file.parent.name, first + int(file.stem.removeprefix("painted-")), size) for file in files]
    if processes is None:
        share = len(files) // FEWEST
        processes = min(processors(), share) if share > 1 else 1
    if progress is not None:
        progress(0, len(files))
    with closing(painted(jpeg, wanted, processes)) as contents:
        for done, (file, content) in enumerate(zip(files, contents, strict=True), start=1):
            write_bytes(folder / file, content)
            if progress is not None:
                progress(done, len(files))


def refuse_strangers(folder: Path, ours: Sequence[Path], advice: str = "give a new or empty folder") -> None:
    """Raise `CorollaError` if `folder` is a file, or holds a file that is not one of `ours` (relative paths).

    Files of the operating system do not count.
    """
    if folder.exists() and not folder.is_dir():
        raise CorollaError(f"{folder} is a file; {advice} to paint into")
    expected = {folder / path for path in ours}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and path not in expected and not is_system_file(path.name):
            raise CorollaError(f"{folder} already holds {path.relative_to(folder)}; {advice} to paint into")


def leftovers(folder: Path) -> list[Path]:
    """Temporary files of a killed process, by the names that `corolla.atomic` gives them."""
    return [path for kind in KINDS for path in (folder / kind).glob(".painted-?????-????????.jpg")]
