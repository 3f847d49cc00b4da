"""The maximum operations per second of this machine in a matrix multiplication.

A Vision Transformer consists almost only of matrix multiplications, so this is the upper limit of its speed. It is
measured, because a data sheet knows neither the clock under load nor the library.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from corolla.bench.timing import LEAST, settler, timed
from corolla.models.config import ViTConfig
from corolla.precision import name_of

Shape = tuple[int, int, int]  # (M, K, N): rows of (M, K) times (K, N)

CUBES = (1024, 2048, 4096, 8192)  # the larger ones only if there is time for them
SMALLEST = 5e8  # operations; smaller multiplications would measure the overhead of a call
PRECISIONS = (torch.float32, torch.bfloat16)


@dataclass(frozen=True)
class Ceiling:
    """The best rate of any shape, in operations per second (a multiplication and an addition are two)."""

    precision: str  # as torch names it: float32, bfloat16
    rate: float
    shape: Shape

    def to_json(self) -> dict[str, Any]:
        """As plain values, the rate in GFLOP/s."""
        return {"gflops": self.rate / 1e9, "shape": list(self.shape)}


def operations(shape: Shape) -> int:
    """Multiplications and additions of a matrix multiplication of this shape."""
    rows, inner, columns = shape
    return 2 * rows * inner * columns


def shapes_to_try(configs: Iterable[ViTConfig], batch: int) -> list[Shape]:
    """Cubes and the larger shapes of the models' MLPs for `batch` images, fewest operations first."""
    shapes: set[Shape] = {(side, side, side) for side in CUBES}
    for config in configs:
        rows, columns = config.grid(config.image_size)
        tokens = batch * rows * columns
        shapes |= {(tokens, config.embed_dim, config.mlp_dim), (tokens, config.mlp_dim, config.embed_dim)}
    return sorted((shape for shape in shapes if operations(shape) >= SMALLEST), key=operations)


def find_ceiling(precision: torch.dtype, shapes: list[Shape], device: str, seconds: float) -> Ceiling:
    """The best of `shapes`, in about `seconds` for all of them; shapes that would take too long are left out."""
    name = name_of(precision)
    begun = time.perf_counter()
    best = Ceiling(name, 0.0, shapes[0])
    for shape in shapes:
        left = seconds - (time.perf_counter() - begun)
        # Processors without bfloat16 units may be a hundred times slower in it.
        if best.rate and (1 + LEAST) * operations(shape) / best.rate > left:
            break
        rate = product_rate(shape, precision, device, seconds / len(shapes))
        if rate > best.rate:
            best = Ceiling(name, rate, shape)
    return best


@torch.inference_mode()
def product_rate(shape: Shape, precision: torch.dtype, device: str, seconds: float) -> float:
    """Operations per second of a linear layer of this shape, in the fastest call."""
    rows, inner, columns = shape
    inputs = torch.randn(rows, inner, device=device).to(precision)
    weight = torch.randn(columns, inner, device=device).to(precision)
    # The fastest call and not the median: a call that other work on the machine slows down is not the ceiling.
    return operations(shape) / timed(lambda: F.linear(inputs, weight), seconds, settle=settler(device)).quickest
