"""Images per second, latency and memory of a server with many concurrent clients.

    python benchmarks/load.py flowers --clients 64 --seconds 60

The clients send the same JPEGs to each server on this machine, one server after another. Each client waits for a
response before the next request. The servers are `corolla serve --batch 1 --workers 1`, which predicts one image at a
time and is the baseline of the gain; `corolla serve` with batches and workers; and LitServe with the same classifier
and batches (`contenders/litserve_server.py`; pip install litserve). The clients share the processor with the server,
which makes the figures lower than with remote clients. A client refused with 429 waits as long as the response says.
Memory is that of the server and all its processes, at the start, in the middle and at the end of the load.
"""

import argparse
import asyncio
import base64
import importlib.util
import json
import os
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import psutil

from contender import processor
from corolla.painted import KINDS, paint

HERE = Path(__file__).parent
WARM = 3.0  # seconds of load that do not count
IMAGES = 40
BATCH = 16


@dataclass
class Load:
    """What the clients measured of one server."""

    name: str
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)  # seconds per response
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)  # megabytes at the start, in the middle, at the end

    @property
    def rate(self) -> float:
        """Images per second."""
        return len(self.waits) / self.seconds

    def row(self, first: "Load") -> str:
        """One line of the table."""
        p50, p99 = (1000 * statistics.quantiles(self.waits, n=100)[place] for place in (49, 98))
        start, middle, end = self.memory
        return (
            f"| {self.name} | {self.rate:.1f} | {self.rate / first.rate:.2f} x | {p50:,.0f} ms | {p99:,.0f} ms "
            f"| {self.refused:,} | {self.errors.total():,} | {start:,.0f} / {middle:,.0f} / {end:,.0f} MB |"
        )


HEADER = (
    "| server | images/s | gain | p50 | p99 | refused (429) | errors | memory: start / middle / end |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|"
)


def images(size: int) -> list[bytes]:
    """Painted JPEGs of all kinds."""
    made = []
    for number in range(IMAGES):
        buffer = BytesIO()
        paint(KINDS[number % len(KINDS)], number, size).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def started(command: list[str], port: int) -> Iterator[psutil.Process]:
    """Start a server and yield its process once it responds; stopped by SIGINT afterwards, with all its children."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        until = time.monotonic() + 120
        while True:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server does not start: {' '.join(command)}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/docs", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in family:
            if child.is_running():
                child.kill()


def held(process: psutil.Process) -> float:
    """Megabytes of the process and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1e6


async def client(address: str, bodies: list[bytes], load: Load, begin: float, end: float, seed: int) -> None:
    """Send a request, wait for the response, repeat."""
    dice = random.Random(seed)
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as session:
        while (asked := time.monotonic()) < end:
            try:
                answer = await session.post(address, content=dice.choice(bodies), headers=headers)
                counts = asked >= begin
                if answer.status_code == 200 and "label" in answer.json()["predictions"][0]:
                    if counts:
                        load.waits.append(time.monotonic() - asked)
                elif answer.status_code == 429:
                    load.refused += counts
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                else:
                    load.errors[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                load.errors[type(error).__name__] += 1


async def press(
    address: str, bodies: list[bytes], load: Load, clients: int, seconds: float, process: psutil.Process
) -> None:
    """Run all clients at once; memory is sampled after the warm-up, half-way and at the end."""
    begin = time.monotonic() + WARM
    end = begin + seconds
    asking = [asyncio.create_task(client(address, bodies, load, begin, end, number)) for number in range(clients)]
    for moment in (begin, (begin + end) / 2, end):
        await asyncio.sleep(max(moment - time.monotonic(), 0))
        load.memory.append(held(process))
    await asyncio.gather(*asking)
    load.seconds = time.monotonic() - begin


def measure(name: str, command: list[str], port: int, bodies: list[bytes], clients: int, seconds: float) -> Load:
    load = Load(name)
    with started(command, port) as process:
        asyncio.run(press(f"http://127.0.0.1:{port}/v1/predict", bodies, load, clients, seconds, process))
    return load


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", type=int, default=320, help="side of the images in pixels")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="numbers of workers to measure")
    asked = parser.parse_args()
    coded = [base64.b64encode(image).decode() for image in images(asked.size)]
    bodies = [json.dumps({"images": [text]}).encode() for text in coded]
    serve = [sys.executable, "-m", "corolla", "serve", asked.run, "--queue", "1024", "--port"]
    rows = []
    for workers, batch in [(workers, batch) for batch in (1, BATCH) for workers in asked.workers]:
        port = free_port()
        options = ["--batch", str(batch), "--workers", str(workers)]
        name = f"corolla, {'one image' if batch == 1 else f'batches of {batch}'}, {workers} at once"
        rows.append((name, [*serve, str(port), *options], port))
    if importlib.util.find_spec("litserve"):
        port = free_port()
        litserve = [sys.executable, str(HERE / "contenders" / "litserve_server.py"), asked.run, str(port), str(BATCH)]
        rows.append(("LitServe, the same classifier", litserve, port))
    else:
        print("LitServe is not installed and is skipped", file=sys.stderr)
    print(
        f"{asked.clients} clients for {asked.seconds:g} s, images of {asked.size} pixels, "
        f"{os.cpu_count()} cores of {processor()}"
    )
    print(f"Python {platform.python_version()}\n\n{HEADER}", flush=True)
    loads: list[Load] = []
    for name, command, port in rows:
        loads.append(measure(name, command, port, bodies, asked.clients, asked.seconds))
        print(loads[-1].row(loads[0]), flush=True)
        if loads[-1].errors:
            print(f"errors: {dict(loads[-1].errors)}", file=sys.stderr)


if __name__ == "__main__":
    main()
