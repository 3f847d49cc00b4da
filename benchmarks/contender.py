"""Common code of the contenders of `speed.py`: JSON lines in and out, the clock and the same inputs.

A contender is a process that waits for requests on standard input, `{"do": "train", "model": "small", ...}`, and
answers each with one line on standard output. It is warmed up before timing, and idle while another one works.
"""

import gc
import itertools
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

Answer = dict[str, Any]
Trial = Callable[[float, int], tuple[int, float]]  # at least (seconds, steps) to (images done, seconds taken)
Asked = Callable[[list[str], int], object]  # JPEG files and a batch size to class probabilities

CLASSES, PIXELS, BATCH = 5, 224, 32


@dataclass(frozen=True)
class Shape:
    """One row of DeiT's table 1 (arXiv 2012.12877), with patches of 16 x 16."""

    width: int
    heads: int
    depth: int = 12

    @property
    def mlp_dim(self) -> int:
        """The hidden width of the MLP."""
        return 4 * self.width


SHAPES = {"tiny": Shape(192, 3), "small": Shape(384, 6)}


def trial(step: Callable[[], object], images: int, warm: int) -> Trial:
    """Times `step`, which processes `images` images, after `warm` warm-up steps, or one in all later trials."""
    first = True

    def run(seconds: float, steps: int) -> tuple[int, float]:
        nonlocal first
        for _ in range(warm if first else 1):
            step()
        first, done, begun = False, 0, time.perf_counter()
        while done < steps or time.perf_counter() - begun < seconds:
            step()
            done += 1
        return done * images, time.perf_counter() - begun

    return run


def batch_of_chance() -> tuple[Tensor, Tensor]:
    """Random normalized images (B, 3, H, W) and class numbers (B,), like a batch of a loader."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, PIXELS, PIXELS, generator=generator)
    return images, torch.randint(CLASSES, (BATCH,), generator=generator)


def eager(model: nn.Module, transform: Callable[[Image.Image], Tensor]) -> Asked:
    """The plain loop that a user writes around a model and its transform."""
    model.eval()

    @torch.inference_mode()
    def answer(files: list[str], batch: int) -> list[list[float]]:
        rows: list[list[float]] = []
        for start in range(0, len(files), batch):
            images = [transform(Image.open(file).convert("RGB")) for file in files[start : start + batch]]
            rows += model(torch.stack(images)).softmax(dim=-1).tolist()
        return rows

    return answer


def asking(asked: Asked, files: list[str], batch: int) -> Trial:
    """One image per call, in turn, or all of `files` in batches."""
    if batch == 1:
        turns = itertools.cycle(files)
        return trial(lambda: asked([next(turns)], 1), images=1, warm=5)
    return trial(lambda: asked(files, batch), images=len(files), warm=1)


def through(batches: Iterable[Sequence[Tensor]], begun: float) -> float:
    """Images per second of a pass through `batches` that started at `begun`."""
    images = sum(len(labels) for _, labels in batches)
    return images / (time.perf_counter() - begun)


def peak_memory() -> float:
    """Peak memory of this process, in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def processor() -> str:
    """The processor's commercial name, if the system provides it."""
    with suppress(OSError, StopIteration):  # Linux's platform.processor() says nothing
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def about(packages: Sequence[str]) -> Answer:
    """Hardware, threads and versions."""
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "versions": {name: version(name) for name in ("torch", "pillow", *packages)},
        "threads": torch.get_num_threads(),
        "hardware": f"{torch.get_num_threads()} threads of {processor()} with {capability}",
        "python": platform.python_version(),
    }


def serve(
    packages: Sequence[str],
    training: Callable[[str], Trial],
    asked: Callable[[str], Asked] | None = None,
    **more: Callable[..., Answer],
) -> None:
    """Answer requests until the end of input; an error ends the process with a traceback on standard error.

    `training` and `asked` take the model's size; `more` are tasks of this contender only.
    """
    # An answer is one line on standard output; what libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    @lru_cache(maxsize=1)
    def prepared(what: str, model: str, batch: int, files: tuple[str, ...]) -> Trial:
        gc.collect()
        if asked is None or what == "train":
            return training(model)
        return asking(asked(model), list(files), batch)

    def measure(what: str, model: str, seconds: float, steps: int, batch: int, files: Sequence[str]) -> Answer:
        images, taken = prepared(what, model, batch, tuple(files))(seconds, steps)
        return {"images_per_second": images / taken, "peak_memory": peak_memory()}

    tasks: dict[str, Callable[..., Answer]] = {
        "about": lambda: about(packages),
        "train": lambda model, seconds, steps: measure("train", model, seconds, steps, BATCH, ()),
        "predict": lambda model, seconds, steps, batch, files: measure("ask", model, seconds, steps, batch, files),
    }
    tasks |= more
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(tasks[request.pop("do")](**request)), file=answers, flush=True)
