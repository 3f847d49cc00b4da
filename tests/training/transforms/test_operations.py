"""torchvision does the same to one image."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from corolla.training.transforms.operations import MEAN_COLOR, REST, apply

SIZE = 48


def smooth(seed: int) -> Tensor:
    """An image without sharp edges, so that a difference of half a pixel's fraction stays small."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 7, 7, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic")[0].clamp(0, 255).to(torch.uint8)


def affine(view: Tensor, **changes: object) -> Tensor:
    given = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | changes
    return TF.affine(view, interpolation=InterpolationMode.BILINEAR, fill=MEAN_COLOR, **given)  # type: ignore[arg-type]


def torchvisions(view: Tensor, kind: str, amount: float) -> Tensor:
    shear = math.degrees(math.atan(amount))
    match kind:
        case "rotate":
            return TF.rotate(view, amount, InterpolationMode.BILINEAR, fill=MEAN_COLOR)
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
        case "sharpness":
            return TF.adjust_sharpness(view, 1 + amount)
    raise AssertionError(kind)


def ours(view: Tensor, *ops: tuple[str, float]) -> Tensor:
    return torch.from_numpy(apply(view.permute(1, 2, 0).contiguous().numpy(), ops)).permute(2, 0, 1)


@pytest.mark.parametrize("amount", [-0.9, -0.31, 0.0, 0.17, 0.8])
@pytest.mark.parametrize(
    ("kind", "times"),
    [("rotate", 60), ("shear_x", 1), ("shear_y", 1), ("translate_x", 20), ("translate_y", 20)],
)
def test_geometry_is_torchvisions(kind: str, times: float, amount: float) -> None:
    view = smooth(0)
    differences = (ours(view, (kind, times * amount)).int() - torchvisions(view, kind, times * amount).int()).abs()
    assert differences.float().median() <= 1
    assert (differences > 2).float().mean() < 0.06  # along the border, where torchvision fades into the fill twice


@pytest.mark.parametrize("amount", [-0.99, -0.3, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation", "sharpness"])
def test_color_is_torchvisions(kind: str, amount: float) -> None:
    view = smooth(1)
    assert (ours(view, (kind, amount)).int() - torchvisions(view, kind, amount).int()).abs().max() <= 2


@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5, 0.77, 1.0])
def test_solarizing_is_torchvisions(amount: float) -> None:
    view = smooth(5)
    assert torch.equal(ours(view, ("solarize", amount)), TF.solarize(view, 255 * amount))


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_posterizing_is_torchvisions(bits: int) -> None:
    view = smooth(6)
    assert torch.equal(ours(view, ("posterize", bits)), TF.posterize(view, bits))


def test_stretching_is_torchvisions() -> None:
    view = smooth(7) // 3 + 40
    view[1] = 99  # nothing to stretch
    assert (ours(view, ("autocontrast", 0.0)).int() - TF.autocontrast(view).int()).abs().max() <= 1


def test_equalising_is_nearly_torchvisions() -> None:
    """OpenCV counts the darkest value out where Pillow, whose rule torchvision follows, counts out the brightest."""
    dice = torch.randint(0, 50, (4, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(8))
    view = dice.sum(dim=0).to(torch.uint8)  # few of either
    differences = (ours(view, ("equalize", 0.0)).int() - TF.equalize(view).int()).abs()
    assert differences.max() <= 5
    assert differences.float().mean() <= 3
    flat = torch.full_like(view, 7)
    assert torch.equal(ours(flat, ("equalize", 0.0)), flat)


def test_a_chain_of_colors_is_one_after_another() -> None:
    view = smooth(2) // 2 + 60  # so that nothing is clamped in between
    expected = view.float() / 255
    ops = [("contrast", 0.2), ("saturation", -0.25), ("brightness", -0.1), ("contrast", -0.2)]
    for kind, amount in ops:
        expected = torchvisions(expected, kind, amount)
    assert (ours(view, *ops).float() - expected * 255).abs().max() <= 1.5


def test_operations_follow_one_another() -> None:
    view = smooth(3)
    turned = ours(view, ("rotate", 30.0))
    assert torch.equal(
        ours(view, ("rotate", 30.0), ("contrast", 0.5), ("posterize", 3)),
        ours(ours(turned, ("contrast", 0.5)), ("posterize", 3)),
    )


@pytest.mark.parametrize("kind", ["identity", "rotate", "contrast", *REST])
def test_what_goes_in_is_never_changed(kind: str) -> None:
    view = smooth(4) // 4 * 3
    before = view.clone()
    after = ours(view, (kind, 0.5))
    assert torch.equal(view, before)
    assert torch.equal(after, before) is (kind == "identity")
