"""Rotary positions against the paper's complex numbers."""

from dataclasses import replace

import pytest
import torch

from corolla.models.config import ViTConfig
from corolla.models.rotary import rotate, rotations

CPU = torch.device("cpu")
CENTERED = ViTConfig(2, (24, 40), 8, 32, 1, 2, 32, pos_embed="none", rotary="centered")  # heads of 16 channels
COUNTED = replace(CENTERED, rotary="counted", rotary_base=10_000.0)


def by_numbers(x: torch.Tensor, config: ViTConfig, grid: tuple[int, int], before: int) -> torch.Tensor:
    """Eq. 12 to 14 token by token: a pair of channels is a complex number, times e^(i m theta)."""
    half, quarter = x.shape[-1] // 2, x.shape[-1] // 4
    turned = x.double().clone()
    for row in range(grid[0]):
        for column in range(grid[1]):
            token = before + row * grid[1] + column
            for pair in range(half):
                place, count, axis = (row, grid[0], 0) if pair < quarter else (column, grid[1], 1)
                theta = config.rotary_base ** -(pair % quarter / quarter)
                where = float(place)
                if config.rotary == "centered":
                    where = 2 * torch.pi * (2 * (place + 0.5) / count - 1)
                elif config.rotary_grid is not None:
                    where = place * config.rotary_grid[axis] / count
                number = torch.complex(x[..., token, pair].double(), x[..., token, pair + half].double())
                number = number * torch.polar(torch.tensor(1.0).double(), torch.tensor(where * theta).double())
                turned[..., token, pair], turned[..., token, pair + half] = number.real, number.imag
    return turned


@pytest.mark.parametrize("config", [CENTERED, COUNTED, replace(COUNTED, rotary_grid=(16, 9))], ids=lambda c: c.rotary)
def test_a_pair_of_channels_is_turned_as_a_complex_number(config: ViTConfig) -> None:
    x = torch.randn(2, 2, 3 + 15, 16, generator=torch.Generator().manual_seed(0))
    found = rotate(x, rotations(config, (3, 5), 3, CPU))
    torch.testing.assert_close(found.double(), by_numbers(x, config, (3, 5), 3), rtol=1e-5, atol=1e-5)
    assert torch.equal(found[..., :3, :], x[..., :3, :])  # class token and registers lie nowhere


def test_a_product_knows_the_difference_alone() -> None:
    """Eq. 16: equal queries and keys, two rows and one column apart, wherever they are."""
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(1)).expand(2, 1, 1, 20, 16)
    turns = rotations(COUNTED, (4, 5), 0, CPU)
    products = (rotate(q, turns) @ rotate(k, turns).transpose(-2, -1)).view(4, 5, 4, 5)
    same = torch.stack([products[row, column, row + 2, column + 1] for row in range(2) for column in range(4)])
    torch.testing.assert_close(same, same[:1].expand(8))
    assert not torch.allclose(products[0, 0, 2, 1], products[0, 0, 1, 2])


def test_a_finer_grid_lies_over_the_same_image() -> None:
    for config in (CENTERED, replace(COUNTED, rotary_grid=(8, 8))):
        coarse, fine = (rotations(config, (side, side), 0, CPU).view(2, side, side, -1) for side in (4, 12))
        within = fine[:, 1::3, 1::3] if config.rotary == "centered" else fine[:, ::3, ::3]
        torch.testing.assert_close(coarse, within, rtol=1e-5, atol=1e-5)
    counted = rotations(COUNTED, (3, 3), 0, CPU).view(2, 3, 3, -1)
    assert torch.equal(counted, rotations(COUNTED, (6, 9), 0, CPU).view(2, 6, 9, -1)[:, :3, :3])


def test_half_precision_is_turned_by_angles_of_single_precision() -> None:
    x = torch.randn(1, 1, 64 * 64, 16, generator=torch.Generator().manual_seed(2))
    turns = rotations(COUNTED, (64, 64), 0, CPU)
    turned = rotate(x.bfloat16(), turns)
    assert turned.dtype == torch.bfloat16
    torch.testing.assert_close(turned.float(), rotate(x, turns), rtol=0.02, atol=0.02)
