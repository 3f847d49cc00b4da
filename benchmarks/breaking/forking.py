"""A preloaded process that forks one `corolla` for each line of JSON on its standard input.

    python -m breaking.forking FOLDER

Answers each line with the PID of the new process, and writes its exit status to FOLDER/PID.
"""

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from corolla.__main__ import run

# The modules of a training, including those that it imports late.
PRELOADED = (
    *("corolla.training.train", "torchvision.transforms.v2", "sklearn.covariance", "scipy.stats"),
    "matplotlib.backends.backend_svg",
)


def become_corolla(asked: dict[str, object]) -> NoReturn:
    """Turn this process into `corolla WORDS`."""
    os.setpgid(0, 0)
    said = os.open(str(asked["said"]), os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate((nothing, said, said)):
        os.dup2(stream, number)
    os.environ.update(asked["environment"])  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = ["corolla", *asked["words"]]  # type: ignore[misc]
    try:
        run()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def serve(folder: Path) -> None:
    """Fork for every line, and write exit statuses."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    reader = os.fdopen(0, "rb", buffering=0)
    running: set[int] = set()

    def reap(*_: object) -> None:
        for pid in list(running):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                running.discard(pid)
                unfinished = folder / f".{pid}"
                unfinished.write_text(str(os.waitstatus_to_exitcode(status)))
                unfinished.rename(folder / str(pid))

    signal.signal(signal.SIGCHLD, reap)
    for line in iter(reader.readline, b""):
        asked = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            become_corolla(asked)
        running.add(pid)
        (folder / str(pid)).unlink(missing_ok=True)
        os.write(1, f"{pid}\n".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
