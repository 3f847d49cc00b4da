"""The predictor of images, whatever computes it: a run's model, or a file that was exported from one.

`predict`, `evaluate`, training's last validation and the server all use such an object, so they cannot disagree.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corolla.data.decoding import ImageError
from corolla.data.image_input import ImageInput, kind_of, read_given
from corolla.errors import CorollaError
from corolla.preprocessing import Preprocessing
from corolla.uncertainty.calibration import ConformalCalibration
from corolla.uncertainty.conformal import refuse_coverage

Numbers = Literal["fp32", "bf16"]  # the precision in which a run predicts
BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """One prediction: the most probable class by name, and the `top` classes with their probabilities."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    accepted: bool = True  # False: the image is out-of-distribution, so it is none of these classes
    ood_score: float | None = None  # 0 for a median validation image, above 1: rejected; None: not calibrated
    labels: tuple[str, ...] | None = None  # the conformal prediction set, if a coverage was given

    def to_json(self) -> dict[str, Any]:
        """As plain values: the output of `corolla predict --json` and of the server."""
        return {
            "label": self.label,
            "probability": self.probability,
            "top": [{"label": label, "probability": share} for label, share in self.top],
            "accepted": self.accepted,
            "ood_score": self.ood_score,
        } | ({} if self.labels is None else {"labels": list(self.labels)})


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """The model's output for one image, before classes are named."""

    probabilities: NDArray[np.float32]  # (classes,)
    ood_score: float | None  # None: not calibrated


class Predictor(ABC):
    """Preprocessing, class names and conformal calibration; a subclass computes the probabilities."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    calibration: ConformalCalibration | None

    @abstractmethod
    def infer(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """The output for each of preprocessed images (B, H, W, 3)."""

    @overload
    def predict(self, image: ImageInput, top: int = 5, coverage: float | None = None) -> Prediction: ...

    @overload
    def predict(
        self, image: list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, image: ImageInput | list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> Prediction | list[Prediction]:
        """The prediction for one image; for a list or tuple of images a list of predictions in the same order.

        An image is a path, bytes, an open file, a Pillow image, or a uint8 array: (H, W, 3) RGB, (H, W, 4) with alpha,
        or (H, W) gray. With `coverage`, for example 0.95, `Prediction.labels` is a conformal prediction set: it
        contains the true class with this probability. Raises `ImageError` for the first image that cannot be read,
        and `CorollaError` for a coverage that is not possible.
        """
        self.check_coverage(coverage)
        if isinstance(image, (list, tuple)):
            return [self.to_prediction(output, top, coverage) for output in self.outputs(image)]
        [output] = self.outputs([image])
        return self.to_prediction(output, top, coverage)

    def to_prediction(self, output: ModelOutput, top: int = 5, coverage: float | None = None) -> Prediction:
        """The prediction with class names; classes of equal probability in class order."""
        order = np.argsort(-output.probabilities, kind="stable")
        named = tuple((self.classes[index], float(output.probabilities[index])) for index in order[: max(top, 1)])
        labels = None
        if coverage is not None and self.calibration:
            [members] = self.calibration.conformal.sets(output.probabilities[None], coverage)
            labels = tuple(self.classes[index] for index in order if members[index])
        accepted = output.ood_score is None or output.ood_score <= 1
        return Prediction(named[0][0], named[0][1], named, accepted, output.ood_score, labels)

    def check_coverage(self, coverage: float | None) -> None:
        """`CorollaError` for a coverage that this classifier cannot guarantee."""
        if coverage is not None:
            refuse_coverage(coverage, calibrated=self.calibration is not None)

    def predict_iter(
        self, images: Iterable[ImageInput], top: int = 5, coverage: float | None = None
    ) -> Iterator[Prediction | ImageError]:
        """The prediction for every image in order, or why it cannot be read; few images are in memory at a time."""
        self.check_coverage(coverage)
        for _, output in self.iter_outputs(images):
            yield output if isinstance(output, ImageError) else self.to_prediction(output, top, coverage)

    def predict_proba(
        self, images: Sequence[ImageInput], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The probabilities (images, classes), float32; the first unreadable image raises `ImageError`."""
        rows = [output.probabilities for output in self.outputs(images, progress)]
        return np.stack(rows) if rows else np.empty((0, len(self.classes)), np.float32)

    def outputs(
        self, images: Sequence[ImageInput], progress: Callable[[int, int], None] | None = None
    ) -> list[ModelOutput]:
        """The model's output for every image, in order; the first unreadable one raises `ImageError`."""
        outputs = []
        for index, output in self.iter_outputs(images):
            if isinstance(output, ImageError):
                raise output.of(index + 1, len(images))
            outputs.append(output)
            if progress:
                progress(index + 1, len(images))
        return outputs

    def iter_outputs(
        self, images: Iterable[ImageInput], readers: int = 4
    ) -> Iterator[tuple[int, ModelOutput | ImageError]]:
        """Each image's index and the model's output for it, or why it cannot be read, in order.

        Images are decoded in `readers` threads while the batch before them is computed. An image's prediction does
        not depend on its neighbors beyond the last bits of floating point. Raises `CorollaError` at once if `images` is
        not iterable, or a single image.
        """
        single = isinstance(images, (str, bytes, bytearray, memoryview, np.ndarray, Image.Image))
        if single or not isinstance(images, Iterable):
            raise CorollaError(f"images should be a list, not {kind_of(images)}; pass [image]")
        return self._batched(iter(images), readers)

    def _batched(self, images: Iterator[ImageInput], readers: int) -> Iterator[tuple[int, ModelOutput | ImageError]]:
        first = 0
        with ThreadPoolExecutor(readers) as pool:
            ahead = pool.map(self.read, islice(images, BATCH))
            while batch := list(ahead):
                ahead = pool.map(self.read, islice(images, BATCH))
                good = [pixels for pixels in batch if not isinstance(pixels, ImageError)]
                outputs = iter(self.infer(np.stack(good)) if good else ())
                for index, pixels in enumerate(batch, start=first):
                    yield index, pixels if isinstance(pixels, ImageError) else next(outputs)
                first += len(batch)

    def read(self, image: ImageInput) -> NDArray[np.uint8] | ImageError:
        """Decode and preprocess one image to pixels (H, W, 3), or return the error."""
        try:
            return self.pixels(image)
        except ImageError as error:
            return error

    def pixels(self, image: ImageInput) -> NDArray[np.uint8]:
        """Decode and preprocess one image to pixels (H, W, 3), or raise `ImageError`."""
        return self.preprocessing.pixels(read_given(image))


def batches_of(count: int, make: Callable[[int], NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The start index and the pixels (B, H, W, 3) of each batch; threads call `make(index)` one batch ahead."""
    with ThreadPoolExecutor(4) as pool:
        ahead = pool.map(make, range(min(BATCH, count)))
        for start in range(0, count, BATCH):
            pixels = np.stack(list(ahead))
            ahead = pool.map(make, range(start + BATCH, min(start + 2 * BATCH, count)))
            yield start, pixels
