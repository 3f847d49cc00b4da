"""The local engine: threads that each take a chunk, read its images ahead, compute and write its part."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from queue import SimpleQueue
from threading import Event

from corolla.batch_inference.job import Job
from corolla.batch_inference.model import Model
from corolla.batch_inference.parts import table_of
from corolla.batch_inference.sources import check_there
from corolla.data.decoding import ImageError
from corolla.data.image_input import ImageInput
from corolla.inputs.errors import InputError
from corolla.inputs.items import Item, content_of
from corolla.predictor import Prediction, Predictor

Told = Callable[[int, int], None]  # called with the rows of a finished chunk and how many of them could not be read


class Stopped(Exception):  # noqa: N818 - it is not an error
    """A chunk was abandoned because the job ends early."""


def answer_here(
    work: Job, chunks: Sequence[int], predictors: Sequence[Predictor], words: Sequence[str], told: Told
) -> None:
    """Write the parts of these chunks; each predictor processes one chunk at a time."""
    free: SimpleQueue[Predictor] = SimpleQueue()
    for predictor in predictors:
        free.put(predictor)
    stop = Event()

    def one(number: int) -> tuple[int, int]:
        predictor = free.get()
        try:
            return answer(work, number, predictor, words, stop)
        finally:
            free.put(predictor)

    with ThreadPoolExecutor(len(predictors)) as pool:
        try:
            for done in as_completed([pool.submit(one, number) for number in chunks]):
                told(*done.result())
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def answer(
    work: Job, number: int, predictor: Predictor, words: Sequence[str], stop: Event | None = None
) -> tuple[int, int]:
    """Write the part of a chunk; return its number of rows and of unreadable ones.

    If an image could not be read, the part is written only if the sources still exist; otherwise `CorollaError`.
    """
    rows = work.read(number)
    answers: list[Prediction | ImageError] = []
    for _, output in predictor.iter_outputs([image_of(row) for row in rows]):
        if stop and stop.is_set():
            raise Stopped
        if not isinstance(output, ImageError):
            answers.append(predictor.to_prediction(output, work.shape.top, work.shape.coverage))
        else:
            answers.append(output)
    failures = sum(isinstance(each, ImageError) for each in answers)
    if failures:
        check_there(words)
    work.write(number, table_of(rows, answers, work.shape))
    return len(rows), failures


def image_of(item: Item) -> ImageInput:
    """What the predictor gets for an item: a path, or a function that returns the bytes or raises `ImageError`."""
    return item.path or partial(bytes_of, item)


def bytes_of(item: Item) -> bytes:
    """The bytes of an image, or `ImageError`."""
    try:
        return content_of(item)
    except InputError as error:
        raise ImageError(error.reason) from None


def predictors_for(model: Model, first: Predictor, threads: int, workers: int) -> list[Predictor]:
    """One predictor per worker: a run's predictor is shared, an exported file is opened by each worker,

    because OpenVINO would compute for one at a time.
    """
    return [first] + [model.open(threads) if model.exported else first for _ in range(workers - 1)]
