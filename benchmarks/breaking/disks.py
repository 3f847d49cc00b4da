"""Full, read-only or missing disks, and missing images."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from breaking.process import Ended
from breaking.setting import Setting, Tally
from corolla.checksummed import load_sealed
from corolla.run import Run

MEGABYTES = 8  # size of the small disk: room for one and a half runs
PAGE = 4096
PATIENCE = 5  # attempts per try: on a busy machine a fault may come too late to break anything


def can_mount() -> bool:
    """Whether this process may mount a small disk, as root or in `unshare -Urm`."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    probe = Path("/tmp") / f"corolla-faults-{os.getpid()}"
    try:
        with small_disk(probe):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def mounted(folder: Path, *words: object) -> Iterator[Path]:
    """`mount WORDS FOLDER` within the block."""
    subprocess.run(["mount", *map(str, words), str(folder)], check=True, capture_output=True, timeout=30)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True, timeout=30)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of `MEGABYTES` at `folder`, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with mounted(folder, "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "small"):
            yield folder
    finally:
        folder.rmdir()


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Within the block nobody, not even root, can write into `folder`."""
    with mounted(folder, "--bind", folder):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True, capture_output=True, timeout=30)
        yield folder


@contextmanager
def gone(path: Path) -> Iterator[None]:
    """Within the block the file or folder is missing."""
    away = path.with_name(f"{path.name} away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """Within the block the image has the content of another one."""
    whole, other = path.read_bytes(), next(p for p in sorted(path.parent.iterdir()) if p != path)
    path.write_bytes(other.read_bytes())
    try:
        yield
    finally:
        path.write_bytes(whole)


def fill(disk: Path, left: int) -> Path:
    """Leave at most `left` bytes of a disk free; returns the file that fills it.

    Nothing is left if a training writes at the same moment, after the free space was read.
    """
    filler = disk / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(max(shutil.disk_usage(disk).free - left - PAGE, 0)))
    return filler


def refused(ended: Ended, *words: str) -> bool:
    """Whether a process ended with one line that has all of `words`."""
    return ended.status == 2 and ended.orderly and all(word in ended.last for word in words)


def full_while_saving(setting: Setting, tries: int) -> Tally:
    """Fill the disk almost completely at a random moment of a training, free it again and resume."""
    tally = Tally("disk full while saving, then room, then `--resume`")
    for _ in range(PATIENCE * tries):
        if tally.tried == tries:
            break
        with small_disk(setting.new("disk")) as disk:
            run = Run(disk / "run")
            process = setting.train(run.folder)
            process.wait_for(f"epoch {setting.dice.randint(1, 6)}/")
            filler = fill(disk, setting.dice.randrange(500_000))
            ended = process.wait()
            if ended.status == 0:
                continue  # the training finished before the disk was full
            told = refused(ended, "no space left on device", "make room")
            if run.checkpoint.is_file():
                load_sealed(run.checkpoint)  # raises if it is incomplete
            filler.unlink()
            again = setting.resume(run.folder)
            tally.count(told and again.status == 0, setting.differences(run.folder), ended.err + again.err)
    return tally


def full_cache(setting: Setting, tries: int) -> Tally:
    """Train with the cache folder on an almost full disk."""
    tally = Tally("cache folder on a full disk")
    for _ in range(tries):
        with small_disk(setting.new("disk")) as disk:
            fill(disk, setting.dice.randrange(300_000))
            run = setting.new("run")
            ended = setting.train(run, environment={"COROLLA_CACHE": str(disk / "cache")}).wait()
            tally.count(ended.status == 0 and ended.orderly, setting.differences(run), ended.err)
    return tally


def half_a_line(setting: Setting, tries: int) -> Tally:
    """Cut the last line of a killed training's `metrics.jsonl`, like a full disk or a power cut; resume."""
    tally = Tally("half a line at the end of `metrics.jsonl`, then `--resume`")
    run = killed_after(setting, 3)
    position = json.loads(load_sealed(Run(run).checkpoint)[1]["position"])
    rows = Run(setting.unbroken).metrics_file.read_bytes().splitlines(keepends=True)
    next_row = rows[position["epochs_done"]]
    for _ in range(tries):
        copy = Path(shutil.copytree(run, setting.new("cut")))
        whole = b"".join(Run(copy).metrics_file.read_bytes().splitlines(keepends=True)[: position["epochs_done"]])
        Run(copy).metrics_file.write_bytes(whole + next_row[: setting.dice.randrange(len(next_row))])
        ended = setting.resume(copy)
        tally.count(ended.status == 0 and ended.orderly, setting.differences(copy), ended.err)
    return tally


def killed_after(setting: Setting, epoch: int) -> Path:
    """A run that was killed after the end of epoch `epoch` and before the end of the training."""
    for _ in range(PATIENCE):
        run = setting.new("killed")
        process = setting.train(run)
        process.wait_for(f"epoch {epoch}/")
        process.kill()
        if Run(run).checkpoint.is_file():
            return run
    raise TimeoutError("every training finished before it could be killed")


def read_only_images(setting: Setting, tries: int) -> Tally:
    """Train on images in a read-only folder; nothing in it may change."""
    tally = Tally("read-only data folder")

    def state() -> list[tuple[str, int, int]]:
        return [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(setting.images.rglob("*"))]

    for _ in range(tries):
        before, run = state(), setting.new("run")
        with read_only(setting.images):
            ended = setting.train(run, environment={"COROLLA_CACHE": str(setting.new("cache"))}).wait()
        touched = "" if state() == before else "the data folder was changed; "
        tally.count(ended.status == 0 and ended.orderly, touched + setting.differences(run), ended.err)
    return tally


def images_gone(setting: Setting, tries: int) -> Tally:
    """Remove the images before a start, during a training, and before its resume; then restore them."""
    tally = Tally("data folder gone: before a start, in the middle, before `--resume`")
    for _ in range(PATIENCE * tries):
        if tally.tried == tries:
            break
        run = setting.new("run")
        with gone(setting.images):
            before = setting.train(run).wait()
        none_left = not run.exists()
        process = setting.train(run)
        process.wait_for(f"epoch {setting.dice.randint(1, 5)}/")
        with gone(setting.images):
            middle = process.wait()
            if middle.status == 0:
                continue  # the training finished before the images were gone
            later = setting.resume(run)
        again = setting.resume(run)
        told = refused(before, "images") and refused(middle, "images") and refused(later, str(setting.images))
        said = before.last + middle.err + later.last + again.err
        tally.count(told and none_left and again.status == 0, setting.differences(run), said)
    return tally


def one_image_gone_or_changed(setting: Setting, tries: int) -> Tally:
    """Remove or change one image between the kill of a training and its resume; then restore it."""
    tally = Tally("one image gone or changed before `--resume`")
    files = sorted(setting.images.rglob("*.jpg"))
    for number in range(tries):
        run, image = killed_after(setting, 2), setting.dice.choice(files)
        with changed(image) if number % 2 else gone(image):
            ended = setting.resume(run)
        again = setting.resume(run)
        told = refused(ended, image.name, "restore them")
        tally.count(told and again.status == 0, setting.differences(run), ended.err + again.err)
    return tally


def read_only_run(setting: Setting, tries: int) -> Tally:
    """Train into a read-only folder and resume a read-only run; then make the run writable and resume."""
    tally = Tally("run folder on a read-only file system")
    for _ in range(tries):
        place = setting.new("place")
        place.mkdir()
        with read_only(place):
            fresh = setting.train(place / "run").wait()
        run = killed_after(setting, 2)
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        with read_only(run):
            ended = setting.resume(run)
        same = before == {path.name: path.read_bytes() for path in run.iterdir()}
        again = setting.resume(run)
        told = refused(fresh, "read-only file system") and refused(ended, "read-only file system") and same
        tally.count(told and again.status == 0, setting.differences(run), fresh.err + ended.err + again.err)
    return tally
