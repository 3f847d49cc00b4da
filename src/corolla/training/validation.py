"""The validation of a training: its images, decoded and resized once, and what the model predicts for them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from corolla.cache import cache_folder
from corolla.classifier import Classifier
from corolla.data.decoding import read_image
from corolla.predictor import BATCH, batches_of
from corolla.preprocessing import Preprocessing
from corolla.processes import Processes

Pixels = NDArray[np.uint8]  # (B, H, W, 3)


@dataclass(frozen=True)
class Validation:
    """Accuracy in [0, 1] and mean log loss in nats on the validation split."""

    accuracy: float
    loss: float


def validate(
    classifier: Classifier,
    images: "ReadyImages",
    labels: NDArray[np.int64],
    processes: Processes,
    progress: Callable[[int, int], None],
) -> Validation:
    """Predict this process's `images` as `predict` does; the `labels` (n,) are those of all processes together."""
    rows = [np.zeros((0, len(classifier.classes)), np.float32)]
    for pixels in images:
        rows.append(np.stack([output.probabilities for output in classifier.infer(pixels)]))
        progress(sum(map(len, rows)), len(images))
    probs = processes.all_gather(np.concatenate(rows), len(labels))
    given = probs[np.arange(len(probs)), labels]
    return Validation(float((probs.argmax(axis=1) == labels).mean()), float(-np.log(np.maximum(given, 1e-7)).mean()))


class ReadyImages:
    """The images at `paths` after `preprocessing`, in batches, in their order.

    The first pass decodes them and writes them to an unnamed file on the disk of corolla's cache; later passes read
    that file. If the disk has no space for it, every pass decodes. Raises `ImageError` for an image that cannot be
    read.
    """

    def __init__(self, paths: Sequence[Path], preprocessing: Preprocessing) -> None:
        self.paths, self.preprocessing = paths, preprocessing
        self.saved: Pixels | None = None  # (images, H, W, 3), after a complete pass

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Pixels]:
        if self.saved is not None:
            for start in range(0, len(self), BATCH):
                yield np.array(self.saved[start : start + BATCH])
            return
        shape = (len(self), *self.preprocessing.image_size, 3)
        with nameless_file() as file:
            for _, batch in batches_of(len(self), self.read):
                with suppress(OSError):  # the disk is full; the file is then too short and not used
                    file.write(batch.data)
                yield batch
            with suppress(OSError):
                file.flush()
            if len(self) and os.fstat(file.fileno()).st_size == np.prod(shape):
                self.saved = np.memmap(file, np.uint8, "r", shape=shape)  # keeps the file even after it is closed

    def read(self, number: int) -> Pixels:
        """One image (H, W, 3) from its file."""
        return self.preprocessing.pixels(read_image(self.paths[number]))


def nameless_file() -> IO[bytes]:
    """A temporary file in corolla's cache that disappears after its last use; the null device if that fails."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=cache_folder())
    except OSError:
        return Path(os.devnull).open("r+b")
