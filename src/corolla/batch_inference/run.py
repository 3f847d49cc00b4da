"""Batch inference from start to end: one call that can be repeated until its table is complete."""

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from corolla import __version__
from corolla.batch_inference.job import CHUNK, Job, open_job, refuse_existing
from corolla.batch_inference.local import answer_here, predictors_for
from corolla.batch_inference.model import Model, threads_for
from corolla.batch_inference.parts import Shape, failures_in
from corolla.batch_inference.sources import absolute, identity, refuse_missing
from corolla.errors import CorollaError, needed
from corolla.host import processors
from corolla.inputs.items import Item, items_of
from corolla.onnx_runtime.backends import Backend
from corolla.paths import AnyPath, at, word
from corolla.predictor import BATCH, Numbers, Predictor
from corolla.progress import Progress
from corolla.text import count, rate

Engine = Literal["local", "ray"]
TOP = 5
AHEAD = 2  # concurrent chunks on an accelerator, so that one is read while the other is computed
SUFFIX = ".parquet"


@dataclass
class Told:
    """The progress of a call."""

    rows: int = 0  # of the whole list
    kept: int = 0  # of them predicted and on the disk, including earlier calls
    failed: int = 0  # unreadable rows of this call; at the end, of the whole list
    made: int = 0  # rows of this call
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Rows per second of this call."""
        return self.made / self.seconds if self.seconds else 0.0


def predict(
    run: AnyPath,
    sources: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    engine: Engine = "local",
    top: int = TOP,
    coverage: float | None = None,
    device: str = "cpu",
    backend: Backend = "onnxruntime",
    precision: Numbers = "fp32",
    chunk: int = CHUNK,
    progress: Progress | None = None,
    told: Told | None = None,
) -> Told:
    """Predict every image of `sources` and write a row for each into the Parquet file `out`.

    `run` is a run folder, the name of a run that comes with corolla, or an exported file. A source is a folder, a
    pattern, an image, a table of paths, a tar shard, or an address of any of them that fsspec supports. The list of
    images is written first, then predictions chunk by chunk (`chunk` rows, a multiple of a batch) into
    `OUT.unfinished/`; repeating an interrupted call resumes it, with either engine. Rows have the
    order of the list; an unreadable image has the reason in the column `error`. `told` is updated continuously and
    is valid after an exception. A run computes in `precision`, the same for all rows of a table.

    Raises `CorollaError` if a source, the run or the options are wrong, if another job started there, or if
    `out` exists.
    """
    target, told, progress = at(out), told or Told(), progress or Progress()
    if chunk < 1 or chunk % BATCH:
        raise CorollaError(f"the chunk is {chunk} rows; it should be a multiple of {BATCH}")
    given = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    words = [word(source) for source in given]
    refuse(words, target, engine)
    model = Model(at(run), device, backend, precision)
    predictor = model.open(threads_for(processors()))
    predictor.check_coverage(coverage)
    shape = Shape(min(top, len(predictor.classes)), coverage)
    facts: dict[str, Any] = {
        "corolla": __version__,
        "model": model.digest(),
        "computed": model.computed(predictor),
        "sources": [identity(word) for word in words],
        "top": shape.top,
        "coverage": coverage,
    }

    def listing() -> Iterator[Item]:
        for number, item in enumerate(chain.from_iterable(map(items_of, words)), start=1):
            if number % 1000 == 0:
                progress.stage("listing", number, number)
            yield item

    try:
        with open_job(target, facts, shape, chunk, listing) as (work, finished):
            told.rows = told.kept = work.rows
            if not finished:
                chunks, whole = work.missing(), [absolute(word) for word in words]
                told.kept -= sum(work.length(number) for number in chunks)
                try:
                    answer_all(engine, work, chunks, model, predictor, whole, Clock(told, progress).add)
                finally:
                    told.kept = work.kept()
                work.finish(target)
            told.failed = failures_in(target)
    except OSError as error:
        raise CorollaError(explained(error, target, told)) from None
    return told


def refuse(sources: Sequence[str], out: Path, engine: Engine) -> None:
    """Raise `CorollaError` for errors of a call that need no model, before it is loaded."""
    if out.suffix.lower() != SUFFIX:
        raise CorollaError(f"{out} should end in {SUFFIX}, the one format that many rows are written in")
    if engine not in get_args(Engine):
        raise CorollaError(f"there is no engine {engine!r}; choose one of {', '.join(get_args(Engine))}")
    needed("pyarrow", "parquet")
    if engine == "ray":
        check_ray()
    refuse_existing(out)
    for source in sources:
        refuse_missing(word(source))


def check_ray() -> None:
    """Raise `CorollaError` if Ray is not installed."""
    if find_spec("ray") is None:
        raise CorollaError("the engine ray needs ray; install it with: pip install 'corolla[ray]'")


def answer_all(
    engine: Engine,
    work: Job,
    chunks: Sequence[int],
    model: Model,
    predictor: Predictor,
    words: Sequence[str],
    tell: Callable[[int, int], None],
) -> None:
    """Write the parts of these chunks with an engine."""
    if engine == "ray":
        from corolla.batch_inference.on_ray import answer_on_ray

        answer_on_ray(work, chunks, model, words, tell)
        return
    if model.exported and work.threads != threads_for(processors()):  # the job started on another machine
        predictor = model.open(work.threads)
    workers = min(processors() // work.threads, len(chunks)) if model.on_cpu else AHEAD
    with model.on_threads(work.threads):
        answer_here(work, chunks, predictors_for(model, predictor, work.threads, max(1, workers)), words, tell)


class Clock:
    """Adds up the finished rows and shows the progress."""

    def __init__(self, told: Told, progress: Progress) -> None:
        self.told, self.progress, self.begun = told, progress, time.monotonic()

    def add(self, rows: int, failed: int) -> None:
        """A chunk is on the disk."""
        told = self.told
        told.made, told.kept, told.failed = told.made + rows, told.kept + rows, told.failed + failed
        told.seconds = time.monotonic() - self.begun
        self.progress.stage("predicting", told.kept, told.rows, f"{rate(told.rate)} rows/s")


def explained(error: OSError, out: Path, told: Told) -> str:
    """The error of the operating system, and what is saved."""
    why = (error.strerror or str(error) or type(error).__name__).lower()
    mend = "; make room" if error.errno == errno.ENOSPC else ""
    kept = (
        f"; {told.kept:,} of {count(told.rows, 'row is', 'rows are')} saved, and the same command resumes"
        if told.rows
        else ""
    )
    return f"{error.filename or out}: {why}{mend}{kept}"
