"""Paints image files in several processes and yields them in the requested order.

A painter is a new Python process that reads requests from one pipe and writes files to another. It copies neither
the threads nor the script of its parent, so a script without a main guard can use it; it does not receive Ctrl-C
and ends when its parent ends, for any reason.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

from corolla.painted.image import jpeg

Asked = tuple[str, int, int]  # kind, seed and size
Paint = Callable[[str, int, int], bytes]

AHEAD = 8  # images that each painter may paint in advance
ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NEW_GROUP = 0x200 if sys.platform == "win32" else 0  # detached from the terminal, like a new session elsewhere
LENGTH = 4  # bytes of the length prefix


def painted(paint: Paint, asked: Sequence[Asked], processes: int) -> Generator[bytes, None, None]:
    """`paint(*image)` for each of `asked`, in order, by `processes` painters; by this process if that is one.

    If a painter was killed or cannot be started, this process takes over its work. Closing
    the iterator ends the painters.
    """
    if processes == 1:
        yield from (paint(*image) for image in asked)
        return
    painters = [Painter() for _ in range(processes)]
    idle: SimpleQueue[Painter] = SimpleQueue()
    for painter in painters:
        idle.put(painter)

    def by_one(image: Asked) -> bytes:
        painter = idle.get()
        try:
            return painter.paint(image) or paint(*image)
        finally:
            idle.put(painter)

    threads = ThreadPoolExecutor(processes)  # each waits for a painter
    ahead: deque[Future[bytes]] = deque()
    try:
        for image in asked:
            ahead.append(threads.submit(by_one, image))
            if len(ahead) > AHEAD * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for painter in painters:
            painter.end()
        threads.shutdown()


class Painter:
    """A process that paints; if it cannot be started or was killed, it returns nothing."""

    def __init__(self) -> None:
        path = os.pathsep.join(place for place in sys.path if place)
        self.process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import work; work()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | ALONE | {"PYTHONPATH": path},
                creationflags=NEW_GROUP,
                start_new_session=sys.platform != "win32",
            )

    def paint(self, image: Asked) -> bytes:
        """The file, or b""."""
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            return b""
        try:
            self.process.stdin.write("{} {} {}\n".format(*image).encode())
            self.process.stdin.flush()
            length = int.from_bytes(self.process.stdout.read(LENGTH), "big")
            file = self.process.stdout.read(length)
        except OSError:
            return b""
        return file if len(file) == length else b""

    def end(self) -> None:
        """Kill the process."""
        if self.process is not None:
            with suppress(OSError), self.process:  # which closes the pipes and waits
                self.process.kill()


def work() -> None:
    """The main loop of a painter: reads lines with kind, seed and size, and writes files, until the input ends."""
    orders, files = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    for order in orders:
        kind, seed, size = order.split()
        file = jpeg(kind.decode(), int(seed), int(size))
        files.write(len(file).to_bytes(LENGTH, "big") + file)
        files.flush()
