"""What answers about pictures, whatever it computes with: a run's model, or a file that was exported from one.

`predict`, `evaluate`, training's last validation and the server all ask such an object, so they cannot disagree.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from corolla.data.decoding import PictureError
from corolla.data.given import Picture, kind_of, read_given
from corolla.errors import CorollaError
from corolla.preprocessing import Preprocessing
from corolla.trust.calibration import Promises
from corolla.trust.conformal import refuse_coverage

Numbers = Literal["fp32", "bf16"]  # what a run computes its answers in
BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """One answer: the likeliest class by name, and the `top` classes with their probabilities."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    accepted: bool = True  # False: the picture is unlike those it learned from, so it is none of these classes
    novelty: float | None = None  # 0: like a middling validation picture; above 1: not accepted; None: not calibrated
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
class Reply:
    """What the model says about one picture, before it is put into words."""

    probabilities: NDArray[np.float32]  # (classes,)
    novelty: float | None  # None: not calibrated


class Predictor(ABC):
    """Preprocessing, class names and what is promised of the answers; how they are computed is a subclass's."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    calibration: Promises | None

    @abstractmethod
    def reply(self, pixels: NDArray[np.uint8]) -> list[Reply]:
        """What it says about each of preprocessed pictures (B, H, W, 3)."""

    @overload
    def predict(self, picture: Picture, top: int = 5, coverage: float | None = None) -> Prediction: ...

    @overload
    def predict(
        self, picture: list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, picture: Picture | list[Any] | tuple[Any, ...], top: int = 5, coverage: float | None = None
    ) -> Prediction | list[Prediction]:
        """The answer for one picture; for a list or tuple of them a list of answers in the same order.

        A picture is a path, bytes, an open file, a Pillow image, or a uint8 array: (H, W, 3) red, green and blue,
        (H, W, 4) with opacity, or (H, W) gray. With `coverage`, 0.95 for instance, `Prediction.labels` are the classes
        that hold the right one so often. Raises `PictureError` for what cannot be read as a picture, of a list for the
        first such one, and `CorollaError` for a coverage that cannot be.
        """
        self.check_coverage(coverage)
        if isinstance(picture, (list, tuple)):
            return [self.prediction(reply, top, coverage) for reply in self.replies(picture)]
        [reply] = self.replies([picture])
        return self.prediction(reply, top, coverage)

    def prediction(self, reply: Reply, top: int = 5, coverage: float | None = None) -> Prediction:
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
        self, pictures: Sequence[Picture], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The probabilities (pictures, classes), float32; the first unreadable picture raises `PictureError`."""
        return np.stack([reply.probabilities for reply in self.replies(pictures, progress)])

    def replies(self, pictures: Sequence[Picture], progress: Callable[[int, int], None] | None = None) -> list[Reply]:
        """What it says about every picture, in order; the first unreadable one raises `PictureError`."""
        replies = []
        for index, reply in self.answers(pictures):
            if isinstance(reply, PictureError):
                raise reply.of(index + 1, len(pictures))
            replies.append(reply)
            if progress:
                progress(index + 1, len(pictures))
        return replies

    def answers(self, pictures: Sequence[Picture], readers: int = 4) -> Iterator[tuple[int, Reply | PictureError]]:
        """Each picture's place and what the model says about it, or why it cannot be read, in order.

        Pictures are decoded in `readers` threads while the batch before them is computed. A picture's answer does
        not depend on its neighbours beyond the last bits of floating point. Raises `CorollaError` at once for what is
        no list of pictures.
        """
        if not isinstance(pictures, Sequence) or isinstance(pictures, (str, bytes, bytearray, memoryview)):
            raise CorollaError(f"pictures come as a list, and this is {kind_of(pictures)}; put it into one: [picture]")
        with ThreadPoolExecutor(readers) as pool:
            ahead = pool.map(self.read, pictures[:BATCH])
            for start in range(0, len(pictures), BATCH):
                read = list(ahead)
                ahead = pool.map(self.read, pictures[start + BATCH : start + 2 * BATCH])
                good = [pixels for pixels in read if not isinstance(pixels, PictureError)]
                replies = iter(self.reply(np.stack(good)) if good else ())
                for offset, pixels in enumerate(read):
                    yield start + offset, pixels if isinstance(pixels, PictureError) else next(replies)

    def read(self, picture: Picture) -> NDArray[np.uint8] | PictureError:
        """Decode and preprocess one picture to pixels (H, W, 3), or say why that cannot be done."""
        try:
            return self.pixels(picture)
        except PictureError as error:
            return error

    def pixels(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode and preprocess one picture to pixels (H, W, 3), or raise `PictureError`."""
        return self.preprocessing.pixels(read_given(picture))


def batches_of(count: int, make: Callable[[int], NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Where each batch begins, and its pixels (B, H, W, 3); `make(place)` works in threads, a batch ahead."""
    with ThreadPoolExecutor(4) as pool:
        ahead = pool.map(make, range(min(BATCH, count)))
        for start in range(0, count, BATCH):
            pixels = np.stack(list(ahead))
            ahead = pool.map(make, range(start + BATCH, min(start + 2 * BATCH, count)))
            yield start, pixels
