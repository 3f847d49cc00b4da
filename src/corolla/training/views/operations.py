"""What a policy does to views: geometry and colour for many at once, the rest by torchvision."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from corolla.preprocessing import IMAGENET_MEAN

MEAN_COLOUR = [round(255 * value) for value in IMAGENET_MEAN]  # what turned corners and erased pixels become
GREY = (0.2989, 0.587, 0.114)  # of red, green and blue (ITU-R 601)
CHUNK = 8  # views whose floats stay in a processor's cache

Op = tuple[str, float]  # what is done, and how much of it


def geometry(op: Op, size: int) -> list[list[float]]:
    """Where a pixel of the new view comes from: a matrix (2, 3) of coordinates that run from -1 to 1."""
    kind, amount = op
    if kind == "rotate":  # degrees, counterclockwise
        cos, sin = math.cos(math.radians(amount)), math.sin(math.radians(amount))
        return [[cos, -sin, 0.0], [sin, cos, 0.0]]
    if kind == "shear_x":  # parts of a pixel for each row below the first
        return [[1.0, amount, amount], [0.0, 1.0, 0.0]]
    if kind == "shear_y":
        return [[1.0, 0.0, 0.0], [amount, 1.0, amount]]
    moved = -2 * int(amount) / size  # whole pixels
    return [[1.0, 0.0, moved if kind == "translate_x" else 0.0], [0.0, 1.0, moved if kind == "translate_y" else 0.0]]


GEOMETRY = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
COLOUR = ("brightness", "contrast", "saturation")
REST: dict[str, Callable[[Tensor, float], Tensor]] = {
    "sharpness": lambda view, amount: TF.adjust_sharpness(view, 1.0 + amount),
    "posterize": lambda view, amount: TF.posterize(view, int(amount)),
    "solarize": lambda view, amount: TF.solarize(view, 255 * amount),
    "autocontrast": lambda view, amount: TF.autocontrast(view),
    "equalize": lambda view, amount: TF.equalize(view),
}


def chunks(indices: Sequence[int]) -> Iterator[list[int]]:
    """The indices, a few at a time."""
    for start in range(0, len(indices), CHUNK):
        yield list(indices[start : start + CHUNK])


def warp(views: Tensor, ops: Mapping[int, Op]) -> None:
    """Turn, shear or move those views of uint8 (B, 3, S, S) that `ops` names by number, in place."""
    size, fill = views.shape[-1], torch.tensor(MEAN_COLOUR, dtype=torch.float32).view(3, 1, 1)
    centres = (torch.arange(size) * 2 + 1) / size - 1  # of pixels, from -1 to 1
    for some in chunks(sorted(ops)):
        matrices = torch.tensor([geometry(ops[index], size) for index in some])
        by_x, by_y, moved = matrices[:, None, None].unbind(-1)  # each (b, 1, 1, 2)
        # What F.affine_grid computes, without its product of matrices, which took longer than the sampling.
        grid = by_x * centres.view(size, 1) + (by_y * centres.view(size, 1, 1) + moved)  # (b, S, S, 2)
        # Zeros outside stand for the fill once it is subtracted.
        warped = F.grid_sample(views[some].float().sub_(fill), grid, mode="bilinear", align_corners=False)
        views[some] = warped.add_(fill).round_().clamp_(0, 255).to(torch.uint8)


def recolour(views: Tensor, ops: Mapping[int, Sequence[Op]]) -> None:
    """Change brightness, contrast and saturation, one after another, of views (B, 3, S, S) named by number, in place.

    Each one blends a view x with black, its mean grey or its grey y; any chain of them is a x + b y + c, so the
    pixels are passed once, and clamped once, at the end.
    """
    red, green, blue = GREY
    for some in chunks(sorted(ops)):
        x = views[some].float()
        y = (x[:, 0] * red).add_(x[:, 1], alpha=green).add_(x[:, 2], alpha=blue)
        means = y.mean(dim=(1, 2)).tolist()
        rows = [chain(ops[index], mean) for index, mean in zip(some, means, strict=True)]
        a, b, c = torch.tensor(rows).T.view(3, len(some), 1, 1)
        changed = x.mul_(a[:, None]).add_(y.mul_(b).add_(c)[:, None])
        views[some] = changed.clamp_(0, 255).to(torch.uint8)


def chain(ops: Sequence[Op], mean: float) -> tuple[float, float, float]:
    """The a, b and c of `ops` for a view whose mean grey is `mean`; an op's factor is 1 + its amount."""
    a, b, c = 1.0, 0.0, 0.0
    for kind, amount in ops:
        factor = 1.0 + amount
        if kind == "brightness":
            a, b, c = factor * a, factor * b, factor * c
        elif kind == "contrast":
            a, b, c = factor * a, factor * b, factor * c - amount * ((a + b) * mean + c)
        else:
            a, b = factor * a, factor * b - amount * (a + b)
    return a, b, c


def apply(views: Tensor, ops: Sequence[Op]) -> None:
    """Do one operation to each of the views of uint8 (B, 3, S, S), in place; ("identity", 0) leaves one alone."""
    warp(views, {index: op for index, op in enumerate(ops) if op[0] in GEOMETRY})
    recolour(views, {index: [op] for index, op in enumerate(ops) if op[0] in COLOUR})
    for view, (kind, amount) in zip(views, ops, strict=True):
        if kind in REST:
            view.copy_(REST[kind](view, amount))
