"""torchvision does the same to one picture."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from corolla.training.views.operations import MEAN_COLOUR, REST, apply, recolour, warp

SIZE = 48


def smooth(seed: int, count: int = 3) -> Tensor:
    """Pictures without sharp edges, so that a difference of half a pixel's fraction stays small."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 7, 7, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic").clamp(0, 255).to(torch.uint8)


def affine(view: Tensor, **changes: object) -> Tensor:
    given = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | changes
    return TF.affine(view, interpolation=InterpolationMode.BILINEAR, fill=MEAN_COLOUR, **given)  # type: ignore[arg-type]


def torchvisions(view: Tensor, kind: str, amount: float) -> Tensor:
    shear = math.degrees(math.atan(amount))
    match kind:
        case "rotate":
            return TF.rotate(view, amount, InterpolationMode.BILINEAR, fill=MEAN_COLOUR)
        case "shear_x":
            return affine(view, shear=[shear, 0.0], center=[0, 0])
        case "shear_y":
            return affine(view, shear=[0.0, shear], center=[0, 0])
        case "translate_x":
            return affine(view, translate=[int(amount), 0])
        case "translate_y":
            return affine(view, translate=[0, int(amount)])
        case "brightness":
            return TF.adjust_brightness(view, 1 + amount)
        case "contrast":
            return TF.adjust_contrast(view, 1 + amount)
        case "saturation":
            return TF.adjust_saturation(view, 1 + amount)
    raise AssertionError(kind)


@pytest.mark.parametrize("amount", [-0.9, -0.31, 0.0, 0.17, 0.8])
@pytest.mark.parametrize(
    ("kind", "times"),
    [("rotate", 60), ("shear_x", 1), ("shear_y", 1), ("translate_x", 20), ("translate_y", 20)],
)
def test_geometry_is_torchvisions(kind: str, times: float, amount: float) -> None:
    views = smooth(0)
    expected = torchvisions(views[1], kind, times * amount)
    untouched = views[0].clone()
    warp(views, {1: (kind, times * amount)})
    differences = (views[1].int() - expected.int()).abs().float()
    assert differences.median() <= 1
    assert (differences > 2).float().mean() < 0.06  # along the border, where torchvision fades into the fill twice
    assert torch.equal(views[0], untouched)


@pytest.mark.parametrize("amount", [-0.99, -0.3, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
def test_colour_is_torchvisions(kind: str, amount: float) -> None:
    views = smooth(1)
    expected = torchvisions(views[2], kind, amount)
    untouched = views[:2].clone()
    recolour(views, {2: [(kind, amount)]})
    assert (views[2].int() - expected.int()).abs().max() <= 2
    assert torch.equal(views[:2], untouched)


def test_a_chain_of_colours_is_one_after_another() -> None:
    views = smooth(2, 1) // 2 + 60  # so that nothing is clamped in between
    expected = views[0].float() / 255
    ops = [("contrast", 0.2), ("saturation", -0.25), ("brightness", -0.1), ("contrast", -0.2)]
    for kind, amount in ops:
        expected = torchvisions(expected, kind, amount)
    recolour(views, {0: ops})
    assert (views[0].float() - expected * 255).abs().max() <= 1.5


@pytest.mark.parametrize("kind", ["shear_x", "contrast", *REST])
def test_an_operation_does_to_a_view_in_a_batch_what_it_does_to_it_alone(kind: str) -> None:
    batch = smooth(3, 20)
    alone = [view[None].clone() for view in batch]
    apply(batch, [(kind, 0.5)] * 20)
    for view in alone:
        apply(view, [(kind, 0.5)])
    assert torch.equal(batch, torch.cat(alone))


def test_identity_leaves_a_view_alone() -> None:
    views = smooth(4)
    before = views.clone()
    apply(views, [("identity", 0.0)] * 3)
    assert torch.equal(views, before)
