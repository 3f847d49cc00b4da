"""Files of images painted in several processes, in the order in which they are asked for.

A painter is a fresh Python that reads what to paint from a pipe and writes the file into another. It copies neither
the threads nor the script of the process that asks, so a script without a main guard can have some; it hears no Ctrl-C
and ends when that process does, however it ends.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

Asked = tuple[str, int, int]  # kind, seed and size
Paint = Callable[[str, int, int], bytes]

AHEAD = 8  # images that may be painted, for each painter, before somebody takes them
ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NEW_GROUP = 0x200 if sys.platform == "win32" else 0  # apart from the terminal, as a session of its own is elsewhere
LENGTH = 4  # bytes that say how many follow


def painted(paint: Paint, asked: Sequence[Asked], processes: int) -> Generator[bytes, None, None]:
    """`paint(*image)` for each of `asked`, in its order, by so many painters; by this process if one is enough.

    What a painter cannot do, because the system has killed it or does not let it start, this process does. Closing
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
    """A process that paints; where none can be started, or it was killed, it paints nothing."""

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
        """The file, or nothing."""
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
        """End the process, whatever it is doing."""
        if self.process is not None:
            with suppress(OSError), self.process:  # which closes the pipes and waits
                self.process.kill()


def work() -> None:
    """What a painter does: until nobody asks any more, a line with kind, seed and size in, a file out."""
    from corolla.data.painted.dataset import jpeg

    orders, files = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    for order in orders:
        kind, seed, size = order.split()
        file = jpeg(kind.decode(), int(seed), int(size))
        files.write(len(file).to_bytes(LENGTH, "big") + file)
        files.flush()
