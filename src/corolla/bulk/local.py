"""The engine that is this process: it reads ahead while it computes, chunk after chunk."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from typing import overload

from corolla.bulk.parts import Shape, table_of
from corolla.bulk.plan import Work
from corolla.bulk.reading import picture_of
from corolla.bulk.sources import check_there
from corolla.data.decoding import PictureError
from corolla.predictor import Picture, Prediction, Predictor, Reply

READERS = 8  # threads that read and decode


class Pictures(Sequence[Picture]):
    """The pictures of some chunks, of which memory holds two chunks of paths."""

    def __init__(self, work: Work, chunks: Sequence[int]) -> None:
        self.work = work
        self.chunks = chunks
        self.rows = lru_cache(2)(work.read)  # the chunk that is answered and the one that is read ahead

    def __len__(self) -> int:
        return sum(self.work.length(number) for number in self.chunks)

    @overload
    def __getitem__(self, place: int) -> Picture: ...

    @overload
    def __getitem__(self, place: slice) -> list[Picture]: ...

    def __getitem__(self, place: int | slice) -> Picture | list[Picture]:
        """By place; only the last chunk of a job is shorter than others."""
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        index, offset = divmod(place, self.work.chunk)
        return picture_of(self.rows(self.chunks[index])[offset])


def answer(
    work: Work,
    chunks: Sequence[int],
    predictor: Predictor,
    words: Sequence[str],
    coverage: float | None,
    told: Callable[[int, int], None] = lambda rows, failed: None,
) -> None:
    """Write the parts of these chunks; `told` hears of each how many rows it has and how many could not be read.

    A chunk in which a picture could not be read is written only while the sources are there: `CorollaError` if not.
    """
    pictures = Pictures(work, chunks)
    answers = predictor.answers(pictures, READERS)
    for number in chunks:
        rows = pictures.rows(number)
        replies = [reply for _, reply in islice(answers, len(rows))]
        failed = sum(isinstance(reply, PictureError) for reply in replies)
        if failed:
            check_there(words)
        work.write(number, table_of(rows, named(predictor, replies, work.shape, coverage), work.shape))
        told(len(rows), failed)


def named(
    predictor: Predictor, replies: Sequence[Reply | PictureError], shape: Shape, coverage: float | None
) -> list[Prediction | PictureError]:
    """The answers by name."""
    return [
        reply if isinstance(reply, PictureError) else predictor.prediction(reply, shape.top, coverage)
        for reply in replies
    ]
