"""From single images to batches: a bounded queue, and the threads that decode and compute.

Images of different requests go through the model together. A worker that is free takes what waits, `batch` at most;
it waits a few milliseconds for more only while some are being decoded, so an image that comes alone is never
held up. What does not fit into the queue is refused at once rather than answered too late.
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

PACE = 0.1  # weight of the newest batch in the running mean of seconds an image
LONGEST_WAIT = 60  # seconds that anybody is asked to come back after
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Waiting:
    """One preprocessed image (H, W, 3) and where its reply is awaited."""

    pixels: NDArray[np.uint8]
    output: asyncio.Future[ModelOutput]


class Batcher:
    """Everything between a request's bytes and its replies; all but `compute` runs in one event loop."""

    def __init__(self, predictor: Predictor, limits: Limits, metrics: Metrics) -> None:
        self.predictor = predictor
        self.limits = limits
        self.metrics = metrics
        self.waiting: deque[Waiting] = deque()
        self.arrived = asyncio.Event()
        self.held = 0  # images admitted and not yet answered
        self.preparing = 0  # images being decoded
        self.pace = 0.0  # seconds that an image takes
        self.decoding = ThreadPoolExecutor(limits.decoders, "decode")
        self.computing = ThreadPoolExecutor(limits.workers, "compute")
        self.workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Let the workers wait for images."""
        self.workers = [asyncio.create_task(self.work()) for _ in range(self.limits.workers)]

    async def stop(self) -> None:
        """End the workers; the server has answered all it held by then."""
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        self.decoding.shutdown(wait=False, cancel_futures=True)
        self.computing.shutdown(wait=False, cancel_futures=True)

    @property
    def works(self) -> bool:
        """Whether every worker is there to answer."""
        return bool(self.workers) and not any(worker.done() for worker in self.workers)

    @contextmanager
    def admitted(self, images: int) -> Iterator[None]:
        """Within it so many images count as held; `ApiError` with 429 where there is no room for them."""
        self.refuse_if_full(images)
        self.held += images
        self.metrics.held.set(self.held)
        try:
            yield
        finally:
            self.held -= images
            self.metrics.held.set(self.held)

    def refuse_if_full(self, images: int = 1) -> None:
        """`ApiError` with 429 and when to come back, where so many images would not fit."""
        if self.held + images > self.limits.queue:
            seconds = min(max(ceil(self.held * self.pace), 1), LONGEST_WAIT)
            raise ApiError(
                429,
                f"the server is busy with {count(self.held, 'image')}; ask again in {seconds} s",
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
        """What the model says of one preprocessed image (H, W, 3), computed together with others that wait."""
        waiting = Waiting(pixels, asyncio.get_running_loop().create_future())
        self.waiting.append(waiting)
        self.arrived.set()
        return await waiting.output

    async def between_batches(self, compute: Callable[[], T]) -> T:
        """Call `compute` in a thread that batches are computed in, so that both never take more than their share."""
        return await in_thread(self.computing, compute)

    async def work(self) -> None:
        """Answer batch after batch until cancelled."""
        while True:
            batch = [waiting for waiting in await self.next_batch() if not waiting.output.done()]
            if not batch:
                continue  # whoever asked has given up
            try:
                outputs = await in_thread(self.computing, lambda batch=batch: self.compute(batch))  # type: ignore[misc]
            except Exception as error:  # told in each answer; the worker lives on
                for waiting in batch:
                    if not waiting.output.done():
                        waiting.output.set_exception(error)
                continue
            for waiting, output in zip(batch, outputs, strict=True):
                if not waiting.output.done():
                    waiting.output.set_result(output)

    async def next_batch(self) -> list[Waiting]:
        """The images that wait, or the first that comes, with what is ready a few milliseconds later."""
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
        """Wait until an image is ready to be computed, or will not be."""
        self.arrived.clear()
        await self.arrived.wait()

    def compute(self, batch: Sequence[Waiting]) -> list[ModelOutput]:
        """The replies to a batch, in its order; runs in a thread."""
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
