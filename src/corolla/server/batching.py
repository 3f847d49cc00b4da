"""From single images to batches: a bounded queue, and the threads that decode and compute.

Images of different requests share batches. A free worker takes all waiting images, `batch` at most; it waits a few
milliseconds for more only while some are being decoded, so a single image is never delayed. Images that do not fit
into the queue are refused at once rather than predicted too late.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from corolla.predictor import ModelOutput, Predictor
from corolla.server.failures import ApiError
from corolla.server.limits import Limits
from corolla.server.metrics import Metrics
from corolla.text import count

PACE = 0.1  # weight of the newest batch in the running mean of seconds per image
LONGEST_WAIT = 60  # the largest Retry-After, in seconds
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Waiting:
    """One preprocessed image (H, W, 3) and the future of its output."""

    pixels: NDArray[np.uint8]
    output: asyncio.Future[ModelOutput]


class Batcher:
    """Everything between a request's bytes and its outputs; all but `compute` runs in one event loop."""

    def __init__(self, predictor: Predictor, limits: Limits, metrics: Metrics) -> None:
        self.predictor = predictor
        self.limits = limits
        self.metrics = metrics
        self.waiting: deque[Waiting] = deque()
        self.arrived = asyncio.Event()
        self.held = 0  # images admitted and not yet finished
        self.preparing = 0  # images being decoded
        self.pace = 0.0  # seconds that an image takes
        self.decoding = ThreadPoolExecutor(limits.decoders, "decode")
        self.computing = ThreadPoolExecutor(limits.workers, "compute")
        self.workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the workers."""
        self.workers = [asyncio.create_task(self.work()) for _ in range(self.limits.workers)]

    async def stop(self) -> None:
        """Stop the workers; by then all admitted images are finished."""
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        self.decoding.shutdown(wait=False, cancel_futures=True)
        self.computing.shutdown(wait=False, cancel_futures=True)

    @property
    def works(self) -> bool:
        """Whether every worker is running."""
        return bool(self.workers) and not any(worker.done() for worker in self.workers)

    @contextmanager
    def admitted(self, images: int) -> Iterator[None]:
        """Count these images as held within it; `ApiError` with 429 if there is no room for them."""
        self.refuse_if_full(images)
        self.held += images
        self.metrics.held.set(self.held)
        try:
            yield
        finally:
            self.held -= images
            self.metrics.held.set(self.held)

    def refuse_if_full(self, images: int = 1) -> None:
        """`ApiError` with 429 and a time to retry, if so many images would not fit."""
        if self.held + images > self.limits.queue:
            seconds = min(max(ceil(self.held * self.pace), 1), LONGEST_WAIT)
            raise ApiError(
                429,
                f"the server is busy with {count(self.held, 'image')}; retry in {seconds} s",
                {"Retry-After": str(seconds)},
            )

    async def prepare(self, read: Callable[[], T]) -> T:
        """Call `read` in a thread that decodes; batches wait a little for what it prepares."""
        self.preparing += 1
        try:
            return await in_thread(self.decoding, read)
        finally:
            self.preparing -= 1
            self.arrived.set()  # there may be nothing left to wait for

    async def infer(self, pixels: NDArray[np.uint8]) -> ModelOutput:
        """The model's output for one preprocessed image (H, W, 3), computed in a batch with others that wait."""
        waiting = Waiting(pixels, asyncio.get_running_loop().create_future())
        self.waiting.append(waiting)
        self.arrived.set()
        return await waiting.output

    async def between_batches(self, compute: Callable[[], T]) -> T:
        """Call `compute` in a thread for batches, so that both together use no more threads."""
        return await in_thread(self.computing, compute)

    async def work(self) -> None:
        """Compute batch after batch until cancelled."""
        while True:
            batch = [waiting for waiting in await self.next_batch() if not waiting.output.done()]
            if not batch:
                continue  # the client has disconnected, or the time is over
            try:
                outputs = await in_thread(self.computing, lambda batch=batch: self.compute(batch))  # type: ignore[misc]
            except Exception as error:  # reported in each response; the worker continues
                for waiting in batch:
                    if not waiting.output.done():
                        waiting.output.set_exception(error)
                continue
            for waiting, output in zip(batch, outputs, strict=True):
                if not waiting.output.done():
                    waiting.output.set_result(output)

    async def next_batch(self) -> list[Waiting]:
        """The waiting images, or the next one, with those that are ready a few milliseconds later."""
        while not self.waiting:
            await self.news()
        until = time.monotonic() + self.limits.linger
        while len(self.waiting) < self.limits.batch and self.preparing and (left := until - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.news(), left)
            except asyncio.TimeoutError:
                break
        return [self.waiting.popleft() for _ in range(min(self.limits.batch, len(self.waiting)))]

    async def news(self) -> None:
        """Wait until an image is ready, or its decoding has failed."""
        self.arrived.clear()
        await self.arrived.wait()

    def compute(self, batch: Sequence[Waiting]) -> list[ModelOutput]:
        """The outputs of a batch, in its order; runs in a thread."""
        begun = time.perf_counter()
        outputs = self.predictor.infer(np.stack([waiting.pixels for waiting in batch]))
        seconds = time.perf_counter() - begun
        self.metrics.batches.observe(len(batch))
        self.metrics.computing.observe(seconds)
        each = seconds / len(batch) / self.limits.workers
        self.pace = each if not self.pace else (1 - PACE) * self.pace + PACE * each
        return outputs


async def in_thread(pool: Executor, call: Callable[[], T]) -> T:
    """The result of `call` in a thread of `pool`."""
    return await asyncio.get_running_loop().run_in_executor(pool, call)
