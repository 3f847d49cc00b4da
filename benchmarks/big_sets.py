"""How much memory large data sets take: tables and checks of ordinary files, and a training epoch from shards.

    python benchmarks/big_sets.py [--largest] [listing] [checking] [streaming]

Every figure is the sum of the resident memory of a new process and of all processes that it starts, sampled every
20 ms; shared memory counts in each process. Data is made in a temporary folder first. Table rows and checked images are
stored individually, and memory grows by a number of bytes per row; streamed images are not stored. With --largest the
largest cases are a million rows, 100,000 files and 200,000 images in shards; without it, a tenth of each.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from corolla.data.sharding import add
from corolla.data.streams.catalog import FORMAT

CLASSES = [f"class {number:03d}" for number in range(100)]
SHARD = 1000  # images
WORKERS = 2
SIDE = 64


@dataclass(frozen=True)
class Peak:
    """Peak memory of one process and its children, and its wall time."""

    megabytes: float
    seconds: float


def jpeg(number: int, side: int) -> bytes:
    """A small image of random blobs, as a file."""
    noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((side, side)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_table(folder: Path, rows: int) -> Path:
    """Write a table of `rows` paths, each with a label, a split and a group."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "table.csv"
    with table.open("w") as file:
        file.write("path,label,split,group\n")
        for row in range(rows):
            split = ("train", "train", "train", "val", "test")[row // len(CLASSES) % 5]
            path, label = f"images/{row // 1000:04d}/image-{row:08d}.jpg", CLASSES[row % len(CLASSES)]
            file.write(f"{path},{label},{split},g{row // 5000}\n")
    return table


def write_files(folder: Path, count: int) -> Path:
    """Write `count` different small images, and a table of them."""
    for number in range(count):
        path = folder / "images" / f"{number // 1000:04d}" / f"image-{number:08d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, 18))
    return write_table(folder, count)


def write_images(folder: Path, count: int) -> Path:
    """Write `count` training images in shards like `corolla data shard`, and a few for validation and test."""
    folder.mkdir(parents=True, exist_ok=True)
    contents, shards = [jpeg(number, SIDE) for number in range(500)], []
    sizes = [("train", min(SHARD, count - first)) for first in range(0, count, SHARD)] + [("val", 200), ("test", 200)]
    for place, (split, size) in enumerate(sizes):
        file = folder / f"{split}-{place if split == 'train' else 0:05d}.tar"
        with tarfile.open(file, "w") as tar:
            for number in range(size):
                key, label = f"{place * SHARD + number:06d}", number % len(CLASSES)
                add(tar, f"{key}.jpg", contents[number % len(contents)])
                add(tar, f"{key}.cls", str(label).encode())
                add(tar, f"{key}.json", json.dumps({"label": CLASSES[label]}).encode())
        counts = {name: len(range(label, size, len(CLASSES))) for label, name in enumerate(CLASSES)}
        row = {"name": file.name, "split": split, "images": size, "counts": {n: c for n, c in counts.items() if c}}
        shards.append(row | {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    (folder / "shards.json").write_text(json.dumps({"format": FORMAT, "classes": CLASSES, "shards": shards}))
    return folder


def listing(source: Path) -> None:
    """Read the rows of a table, and save them like a training does in its run."""
    from corolla.data.manifest import Manifest
    from corolla.data.sources import list_source

    listed = list_source(source)
    manifest = Manifest(listed.root, listed.examples)
    manifest.save(source.parent / "manifest.csv")
    assert Manifest.load(source.parent / "manifest.csv", source.parent).digest == manifest.digest


def checking(source: Path) -> None:
    """Open and hash every image and find copies: everything before a training."""
    from corolla.data.sources import load_data

    load_data(source)


def streaming(source: Path) -> None:
    """One epoch of augmented images from shards."""
    from corolla.data.sources import load_data
    from corolla.training.recipe import Recipe
    from corolla.training.streaming_loader import StreamingLoader

    stream = load_data(source).stream
    assert stream is not None
    feed = StreamingLoader(stream, Recipe("scratch", "vit_pico_patch8_32", 32, 1), 64, 0, WORKERS)
    seen = sum(len(labels) for _, labels in feed.batches(0, 32))
    assert seen == len(stream) // 64 * 64


TASKS = {
    "listing": (listing, write_table),
    "checking": (checking, write_files),
    "streaming": (streaming, write_images),
}


def peak_of(task: str, source: Path, cache: Path) -> Peak:
    """Run a task in a separate process, and sample its memory."""
    environment = os.environ | {"COROLLA_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, "--task", task, str(source)]
    begun, most = time.monotonic(), 0.0
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None:
        most = max(most, held(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{task} of {source} failed")
    return Peak(most, time.monotonic() - begun)


def held(pid: int) -> float:
    """Megabytes of a process and its children."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def measured(task: str, count: int) -> Peak:
    """Make the data of a task with `count` rows or images, and measure it."""
    with tempfile.TemporaryDirectory() as scratch:
        source = TASKS[task][1](Path(scratch) / "data", count)
        return peak_of(task, source, Path(scratch) / "cache")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="*", metavar="WHAT", help="any of listing, checking and streaming (default: all)")
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:  # a measured process, which must not load more than it needs
        TASKS[asked.task[0]][0](Path(asked.task[1]))
        return
    from contender import processor

    scale = 10 if asked.largest else 1
    begun = time.monotonic()
    print(f"{os.cpu_count()} cores of {processor()}, Python {platform.python_version()}\n")
    print("| task | number | peak memory | per additional item | seconds |\n|---|--:|--:|--:|--:|")
    for task, what, largest in (
        ("listing", "rows of a table listed, saved and loaded", 100_000),
        ("checking", "files checked and split", 10_000),
        ("streaming", f"images streamed, {WORKERS} workers, one epoch", 20_000),
    ):
        before: tuple[int, float] | None = None
        if asked.what and task not in asked.what:
            continue
        for count in (largest * scale // 100, largest * scale // 10, largest * scale):
            peak = measured(task, count)
            growth = 1e6 * (peak.megabytes - before[1]) / (count - before[0]) if before else 0.0
            more = f"{growth:,.0f} bytes" if before else ""
            print(f"| {what} | {count:,} | {peak.megabytes:,.0f} MB | {more} | {peak.seconds:.0f} |", flush=True)
            before = count, peak.megabytes
    print(f"\n{(time.monotonic() - begun) / 60:.1f} minutes, including the time to make the data")


if __name__ == "__main__":
    main()
