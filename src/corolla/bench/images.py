"""How many images per second are decoded, and how many random augmented crops ("views") a training gets."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from PIL import ImageOps

from corolla.bench.timing import timed
from corolla.data.decoding import ImageError, read_image
from corolla.data.manifest import Example, Manifest
from corolla.data.sources import list_source
from corolla.errors import CorollaError
from corolla.painted import KINDS, paint
from corolla.progress import Progress
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

PAINTED = (640, 480)  # pixels, about the size of flower_photos
SCENES = 3 * len(KINDS)  # painted images; the files are copies of them
BATCH = 32
AT_ONCE = 8  # images per thread in one timed call


@dataclass(frozen=True)
class ImageSpeed:
    """Images per second, of `images` files."""

    source: str  # painted, or the user's data
    images: int
    size: int  # side of the views in pixels, and the smallest size of JPEG's draft mode
    threads: int  # for decoding
    workers: int  # data loader workers; 0: the training process itself
    decoded: float  # at full size
    decoded_draft: float
    first_views: float  # in a training's first pass, including everything before it
    next_views: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def how_many(seconds: float) -> int:
    """The number of images for `seconds` of work, in whole batches."""
    return BATCH * min(max(round(2 * seconds), 1), 8)


def gather(data: str | None, folder: Path, count: int, progress: Progress) -> Manifest:
    """`count` readable images spread evenly over `data`, or as many painted into `folder`, all for training.

    Raises `CorollaError` if the data does not exist or nothing in it can be read.
    """
    if data is None:
        return painted(folder, count, progress)
    listing = list_source(data, progress.stage, class_folders="leaf")  # the classes do not matter here
    stride = max(len(listing.examples) // count, 1)
    chosen = [Example(e.path, e.label, "train") for e in listing.examples[::stride][:count]]
    readable = []
    for done, example in enumerate(chosen, start=1):
        if can_be_read(listing.root / example.path):
            readable.append(example)
        progress.stage("checking the images", done, len(chosen))
    if not readable:
        raise CorollaError(f"no image of {data} can be read; give --images others, or leave it out")
    return Manifest(listing.root, tuple(readable))


def can_be_read(path: Path) -> bool:
    """Whether there is a complete image at `path`."""
    try:
        read_image(path)
    except ImageError:
        return False
    return True


def painted(folder: Path, count: int, progress: Progress) -> Manifest:
    """JPEGs of the size of photographs; all files differ, but some show the same image."""
    examples = []
    scenes = min(SCENES, count)
    for number in range(scenes):
        kind = KINDS[number % len(KINDS)]
        image = ImageOps.fit(paint(kind, number, max(PAINTED)), PAINTED)
        for copy in range(number, count, scenes):
            image.save(folder / f"{copy}.jpg", quality=92, comment=str(copy))
            examples.append(Example(f"{copy}.jpg", kind, "train"))
        progress.stage("painting", number + 1, scenes)
    return Manifest(folder, tuple(examples))


def decode_rate(paths: Sequence[Path], draft: int | None, threads: int, seconds: float) -> float:
    """Images per second, read in `threads` threads; `draft` is passed to `read_image`."""
    endless, at_once = cycle(paths), threads * AT_ONCE
    with ThreadPoolExecutor(threads) as pool:

        def work() -> None:
            for _ in pool.map(lambda path: read_image(path, draft=draft), list(islice(endless, at_once))):
                pass

        return at_once / timed(work, seconds).median


def view_rates(manifest: Manifest, size: int, patch_size: int, machine: Runtime, seconds: float) -> tuple[float, float]:
    """Views per second in a training's first pass over the images, and in later passes.

    The first pass includes decoding and the start of the workers. The files may be in the system's cache. The views
    are those of the scratch recipe, `size` pixels square.
    """
    with cache_of_its_own():
        recipe = RECIPE.changed(
            model=f"vit_pico_patch{patch_size}_{size}",
            image_size=size,
            batch_size=BATCH,
            progressive_resizing=((0.0, 1.0),),
        )
        few = manifest.with_examples(manifest.examples[:2])
        Trainer(few, recipe, seed=0, machine=Runtime(machine.device, 0), progress=Progress())  # warms up
        begun = time.perf_counter()
        trainer = Trainer(manifest, recipe, seed=0, machine=machine, progress=Progress())
        rates = [views(trainer, 0, size) / (time.perf_counter() - begun)]
        while len(rates) < 2 or time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            rates.append(views(trainer, len(rates), size) / (time.perf_counter() - start))
    return rates[0], median(rates[1:])


def views(trainer: Trainer, epoch: int, size: int) -> int:
    """Iterate over all views of one pass, and return their number."""
    return sum(len(labels) for _, labels in trainer.feed.batches(epoch, size))


@contextmanager
def cache_of_its_own() -> Iterator[None]:
    """A context with an empty cache, which is deleted at the end."""
    with TemporaryDirectory(prefix="corolla-") as folder, cache_at(Path(folder)):
        yield


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """A context in which this process has its cache in `folder`."""
    before = os.environ.get("COROLLA_CACHE")
    os.environ["COROLLA_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COROLLA_CACHE"]
        else:
            os.environ["COROLLA_CACHE"] = before
