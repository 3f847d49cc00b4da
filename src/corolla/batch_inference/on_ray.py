"""The Ray Data engine: its rows are chunks, and every worker runs the code of the local engine.

A worker writes the part of a chunk itself, so the rows are the same and either engine can resume the other's job.
On a cluster, all machines must see the folder of the job and the images under the same paths.
"""

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from corolla.batch_inference.job import Job
from corolla.batch_inference.local import Told, answer
from corolla.batch_inference.model import Model
from corolla.errors import CorollaError

BLOCKS = 4096  # maximum number of Ray blocks
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage reports
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no deprecation warning
}


@dataclass(frozen=True)
class Order:
    """The arguments of a worker."""

    work: Job
    model: Model
    words: tuple[str, ...]


class Worker:
    """A Ray worker process with a loaded model."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.predictor = order.model.open(order.work.threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write the part of a chunk; return its number of rows and of unreadable ones, or the error."""
        order, rows, failed, wrong, code = self.order, 0, 0, "", 0
        [number] = batch["id"]
        try:
            with order.model.on_threads(order.work.threads):
                rows, failed = answer(order.work, int(number), self.predictor, order.words)
        except CorollaError as error:  # Ray would retry, and then report it with all its own frames
            wrong = str(error)
        except OSError as error:
            wrong, code = error.strerror or str(error), error.errno or errno.EIO
        return {"rows": [rows], "failed": [failed], "wrong": [wrong], "code": [code]}


def answer_on_ray(
    work: Job,
    chunks: Sequence[int],
    model: Model,
    words: Sequence[str],
    told: Told,
) -> None:
    """Like `local.answer`, with the workers of the cluster at `RAY_ADDRESS`, or of one on this machine."""
    if not chunks:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    mine = not ray.is_initialized()
    if mine:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        # Workers may have another working folder.
        order = Order(replace(work, folder=work.folder.absolute()), model.absolute(), tuple(words))
        hand_out(ray, order, chunks, told)
    except ray.exceptions.RayError as error:
        raise CorollaError(f"Ray failed: {last_line(error)}; finished chunks are saved") from None
    finally:
        if mine:
            ray.shutdown()


def hand_out(ray: Any, order: Order, chunks: Sequence[int], told: Told) -> None:
    """Start as many workers as the cluster's CPUs or GPUs can hold, and report each finished chunk."""
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    unit, each = ("CPU", order.work.threads) if order.model.on_cpu else ("GPU", 1)
    workers = max(1, int(ray.cluster_resources().get(unit, 1)) // each)
    numbers = ray.data.from_items([{"id": number} for number in chunks], override_num_blocks=min(len(chunks), BLOCKS))
    done = numbers.map_batches(
        Worker,
        fn_constructor_args=(order,),
        batch_size=1,
        compute=ActorPoolStrategy(size=min(workers, len(chunks))),
        **{f"num_{unit.lower()}s": each},
    )
    rows = iter(done.iter_rows())
    with hushed():
        first = next(rows)
    for row in chain([first], rows):
        if row["code"]:
            raise OSError(int(row["code"]), row["wrong"])
        if row["wrong"]:
            raise CorollaError(row["wrong"])
        told(int(row["rows"]), int(row["failed"]))


def last_line(error: Exception) -> str:
    """The last line of a Ray error, below the frames of its workers."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]


@contextmanager
def hushed() -> Iterator[None]:
    """A context without standard error, where Ray's C++ code would log about its workers."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - its number is needed
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
