"""`torch.compile` for the encoder's blocks, if a measurement shows that the training is long enough to pay for it."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from corolla.models.vit import ViT
from corolla.precision import Precision
from corolla.processes import ALONE, Processes
from corolla.training.sharding import is_sharded

LONG = 600.0  # seconds of computing, below which compiling is not even tried
GAIN = 0.03  # fraction of a step's time that compiling must save
STEPS = 3  # timed


@dataclass(frozen=True)
class Compiling:
    """Whether the blocks are compiled, and why."""

    wanted: bool
    reason: str

    @staticmethod
    def of_run(training: Mapping[str, Any]) -> "Compiling":
        """The decision in a run's config; runs of versions that did not save it were not compiled."""
        return Compiling(
            training.get("compiled", False), training.get("compiled_reason", "this run started without measuring it")
        )


def compile_blocks(model: ViT) -> None:
    """Compile each block in place: names and weights stay, and equal blocks share their code.

    What cannot be compiled, for example for one image size, runs uncompiled.
    """
    torch._dynamo.config.suppress_errors = True
    for block in model.blocks:
        block.compile(dynamic=False)


def choose_compiling(
    model: ViT,
    precision: Precision,
    image_size: int,
    batch_size: int,
    steps: int,
    sizes: int,
    processes: Processes = ALONE,
) -> Compiling:
    """Time both ways on a copy of the model, and choose the one that is faster over `steps` with `sizes` image sizes.

    If the compiler is missing or fails, that is the reason not to compile. All `processes` use the main one's times.
    """
    device = next(model.parameters()).device
    if device.type not in ("cpu", "cuda"):
        return Compiling(False, f"it is not supported on {device.type}")
    if is_sharded(model):
        return Compiling(False, "the model is sharded over processes")
    trial = copy.deepcopy(model).train()
    images = torch.zeros(batch_size, 3, image_size, image_size, device=device)

    def seconds() -> float:
        started = time.monotonic()
        with precision.autocast(device.type):
            logits: Tensor = trial(images)
        loss = F.cross_entropy(logits.float(), torch.zeros(batch_size, dtype=torch.long, device=device))
        torch.autograd.backward(loss)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.monotonic() - started

    def fastest(once: Callable[[], float]) -> float:
        return processes.broadcast_object(min(once() for _ in range(STEPS)))

    first = processes.broadcast_object(seconds())  # longer than all others
    if first * steps < LONG or (plain := fastest(seconds)) * steps < LONG:
        return Compiling(False, "the training is too short to pay for it")
    started = time.monotonic()
    try:
        for block in trial.blocks:
            block.compile(dynamic=False)
        seconds()
    except Exception as error:  # a compiler's toolchain can raise anything
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Compiling(False, f"the compiler failed ({said[:100]})")
    cost = processes.broadcast_object(time.monotonic() - started)
    compiled = fastest(seconds)
    saved = (plain - compiled) * steps
    if compiled < plain * (1 - GAIN) and saved > cost * sizes:
        return Compiling(True, f"a compiled step takes {1 - compiled / plain:.0%} less time")
    return Compiling(False, f"a compiled step takes {compiled / plain:.2f} times as long")
