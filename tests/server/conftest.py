"""A real server on a real port, and images that the run which comes with corolla predicts correctly."""

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from corolla.painted import paint
from corolla.predictor import ModelOutput, Predictor
from corolla.server.app import create_app
from corolla.server.limits import Limits
from corolla.server.model import Served, load_served, warm_up
from corolla.server.running import Server, address_of, listen, make_server


@dataclass
class Running:
    """A server that runs in a thread of the test's process."""

    address: str
    server: Server
    thread: threading.Thread
    log: list[dict[str, Any]] = field(default_factory=list)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=30, trust_env=False, **options)

    def post(self, *images: bytes, **fields: Any) -> httpx.Response:
        """`POST /v1/predict` as a form."""
        files = [("files", (f"{place}.jpg", image)) for place, image in enumerate(images)]
        with self.client() as client:
            return client.post("/v1/predict", files=files, data=fields)

    def get(self, path: str, **options: Any) -> httpx.Response:
        with self.client() as client:
            return client.get(path, **options)

    def figure(self, name: str) -> float:
        """One value of /metrics."""
        [line] = [line for line in self.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])


Serving = Callable[..., AbstractContextManager[Running]]


@contextmanager
def serving(served: Served, limits: Limits | None = None, **options: Any) -> Iterator[Running]:
    """A server for `served` while the block runs; the rest is for `create_app`."""
    log: list[dict[str, Any]] = []

    def keep(event: str, **fields: Any) -> None:
        log.append({"event": event} | fields)

    limits = limits or Limits()
    with listen("127.0.0.1", 0) as listening:
        server = make_server(create_app(served, limits, log=keep, **options), limits, keep)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                thread.join(0.01)
            yield Running(address_of(listening), server, thread, log)
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
    faults = [line for line in log if line["event"] in ("fault", "uvicorn")]
    assert faults == []


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """The timeout of expectations on a page: other tests may keep the processor busy."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="session", name="serving")
def serving_fixture() -> Serving:
    return serving


class Watched(Predictor):
    """Another predictor whose batches are counted, and wait while its gate is shut."""

    def __init__(self, inner: Predictor) -> None:
        self.inner = inner
        self.preprocessing, self.classes, self.calibration = inner.preprocessing, inner.classes, inner.calibration
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()  # a batch has come to the gate

    def infer(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        self.batches.append(len(pixels))
        self.reached.set()
        assert self.gate.wait(30)
        return self.inner.infer(pixels)


@pytest.fixture(scope="session")
def flowers() -> Served:
    """The run that comes with corolla."""
    served = load_served("flowers")
    warm_up(served)
    return served


@pytest.fixture
def watched(flowers: Served) -> Watched:
    return Watched(flowers.predictor)


@pytest.fixture(scope="session")
def server(flowers: Served) -> Iterator[Running]:
    """A server of the run that comes with corolla, for all tests that only send requests."""
    with serving(flowers) as running:
        yield running


@pytest.fixture(scope="session")
def painted() -> dict[str, bytes]:
    """A JPEG of each of the five classes, by the class's name."""
    kinds = [("daisy", 9), ("dandelion", 9), ("rose", 12), ("sunflower", 3), ("tulip", 2)]
    plural = {"rose": "roses", "sunflower": "sunflowers", "tulip": "tulips"}
    return {plural.get(kind, kind): jpeg(paint(kind, seed, 240)) for kind, seed in kinds}


def jpeg(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def trained(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with everything that a training writes; do not write into it."""
    from corolla.training.train import train

    folder = tmp_path_factory.mktemp("runs") / "swatches"
    train(swatches, folder, epochs=1, model="vit_pico_patch8_16", workers=0, device="cpu")
    return folder
