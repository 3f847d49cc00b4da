"""What answers about images, whatever it computes with: a run's model, or a file that was exported from one.

`predict`, `evaluate`, training's last validation and the server all ask such an object, so they cannot disagree.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from corolla.data.decoding import ImageError
from corolla.data.given import ImageInput, kind_of, read_given
from corolla.errors import CorollaError
from corolla.preprocessing import Preprocessing
from corolla.trust.calibration import ConformalCalibration
from corolla.trust.conformal import refuse_coverage

Numbers = Literal["fp32", "bf16"]  # what a run computes its answers in
BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """One answer: the likeliest class by name, and the `top` classes with their probabilities."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    accepted: bool = True  # False: the image is unlike those it learned from, so it is none of these classes
    novelty: float | None = None  # 0: like a middling validation image; above 1: not accepted; None: not calibrated
    labels: tuple[str, ...] | None = None  # the classes that hold the promised coverage, if one was asked for

    def to_json(self) -> dict[str, Any]:
        """As plain values: what `corolla predict --json` and the server answer."""
        return {
            "label": self.label,
            "probability": self.probability,
            "top": [{"label": label, "probability": share} for label, share in self.top],
            "accepted": self.accepted,
            "novelty": self.novelty,
        } | ({} if self.labels is None else {"labels": list(self.labels)})


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """What the model says about one image, before it is put into words."""

    probabilities: NDArray[np.float32]  # (classes,)
    novelty: float | None  # None: not calibrated


class Predictor(ABC):
    """Preprocessing, class names and what is promised of the answers; how they are computed is a subclass's."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    calibration: ConformalCalibration | None

    @abstractmethod
    def reply(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """What it says about each of preprocessed images (B, H, W, 3)."""

    @overload
    def predict(self, image: ImageInput, top: int = 5, coverage: float | None = None) -> Prediction: ...

    @overload
    def predict(
        self, image: list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, image: ImageInput | list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> Prediction | list[Prediction]:
        """The answer for one image; for a list or tuple of them a list of answers in the same order.

        An image is a path, bytes, an open file, a Pillow image, or a uint8 array: (H, W, 3) red, green and blue,
        (H, W, 4) with opacity, or (H, W) gray. With `coverage`, 0.95 for instance, `Prediction.labels` are the classes
        that hold the right one so often. Raises `ImageError` for what cannot be read as an image, of a list for the
        first such one, and `CorollaError` for a coverage that cannot be.
        """
        self.check_coverage(coverage)
        if isinstance(image, (list, tuple)):
            return [self.prediction(reply, top, coverage) for reply in self.replies(image)]
        [reply] = self.replies([image])
        return self.prediction(reply, top, coverage)

    def prediction(self, reply: ModelOutput, top: int = 5, coverage: float | None = None) -> Prediction:
        """The named answer; equally likely classes in class order."""
        order = np.argsort(-reply.probabilities, kind="stable")
        named = tuple((self.classes[index], float(reply.probabilities[index])) for index in order[: max(top, 1)])
        labels = None
        if coverage is not None and self.calibration:
            [members] = self.calibration.conformal.sets(reply.probabilities[None], coverage)
            labels = tuple(self.classes[index] for index in order if members[index])
        accepted = reply.novelty is None or reply.novelty <= 1
        return Prediction(named[0][0], named[0][1], named, accepted, reply.novelty, labels)

    def check_coverage(self, coverage: float | None) -> None:
        """`CorollaError` for a coverage that this classifier cannot promise."""
        if coverage is not None:
            refuse_coverage(coverage, calibrated=self.calibration is not None)

    def probabilities(
        self, images: Sequence[ImageInput], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The probabilities (images, classes), float32; the first unreadable image raises `ImageError`."""
        return np.stack([reply.probabilities for reply in self.replies(images, progress)])

    def replies(
        self, images: Sequence[ImageInput], progress: Callable[[int, int], None] | None = None
    ) -> list[ModelOutput]:
        """What it says about every image, in order; the first unreadable one raises `ImageError`."""
        replies = []
        for index, reply in self.answers(images):
            if isinstance(reply, ImageError):
                raise reply.of(index + 1, len(images))
            replies.append(reply)
            if progress:
                progress(index + 1, len(images))
        return replies

    def answers(self, images: Sequence[ImageInput], readers: int = 4) -> Iterator[tuple[int, ModelOutput | ImageError]]:
        """Each image's place and what the model says about it, or why it cannot be read, in order.

        Images are decoded in `readers` threads while the batch before them is computed. An image's answer does
        not depend on its neighbors beyond the last bits of floating point. Raises `CorollaError` at once for what is
        no list of images.
        """
        if not isinstance(images, Sequence) or isinstance(images, (str, bytes, bytearray, memoryview)):
            raise CorollaError(f"images come as a list, and this is {kind_of(images)}; put it into one: [image]")
        with ThreadPoolExecutor(readers) as pool:
            ahead = pool.map(self.read, images[:BATCH])
            for start in range(0, len(images), BATCH):
                read = list(ahead)
                ahead = pool.map(self.read, images[start + BATCH : start + 2 * BATCH])
                good = [pixels for pixels in read if not isinstance(pixels, ImageError)]
                replies = iter(self.reply(np.stack(good)) if good else ())
                for offset, pixels in enumerate(read):
                    yield start + offset, pixels if isinstance(pixels, ImageError) else next(replies)

    def read(self, image: ImageInput) -> NDArray[np.uint8] | ImageError:
        """Decode and preprocess one image to pixels (H, W, 3), or say why that cannot be done."""
        try:
            return self.pixels(image)
        except ImageError as error:
            return error

    def pixels(self, image: ImageInput) -> NDArray[np.uint8]:
        """Decode and preprocess one image to pixels (H, W, 3), or raise `ImageError`."""
        return self.preprocessing.pixels(read_given(image))


def batches_of(count: int, make: Callable[[int], NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Where each batch begins, and its pixels (B, H, W, 3); `make(place)` works in threads, a batch ahead."""
    with ThreadPoolExecutor(4) as pool:
        ahead = pool.map(make, range(min(BATCH, count)))
        for start in range(0, count, BATCH):
            pixels = np.stack(list(ahead))
            ahead = pool.map(make, range(start + BATCH, min(start + 2 * BATCH, count)))
            yield start, pixels
