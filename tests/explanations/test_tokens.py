"""What the head reads, and which tokens are patches."""

from collections.abc import Callable

import pytest
import torch

from corolla.classifier import Classifier
from corolla.explanations.tokens import on_patches, read_shares


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("plain", [1.0]),
        ("registers", [1.0, 0, 0, 0]),
        ("distilled", [0.5, 0.5]),
        ("class token and mean", [0.5]),
        ("mean", []),
        ("mean and registers", [0, 0]),
    ],
)
def test_shares_are_what_the_head_reads(chance: Callable[..., Classifier], name: str, before: list[float]) -> None:
    shares = read_shares(chance(name).model, len(before) + 10)
    rest = (1 - sum(before)) / 10
    torch.testing.assert_close(shares, torch.tensor([*map(float, before), *[rest] * 10]))


def test_pooling_by_the_shares_is_the_models_own(chance: Callable[..., Classifier]) -> None:
    for name in ("plain", "registers", "mean", "mean and registers", "hybrid"):
        model = chance(name).model
        seen = model.forward_intermediates(torch.randn(2, 3, 16, 40))
        last = model.norm(seen.blocks[max(seen.blocks)])
        torch.testing.assert_close(read_shares(model, last.shape[1]) @ last, seen.pooled)


def test_patches_come_last_and_row_by_row() -> None:
    values = torch.arange(2 * 8.0).view(2, 8)
    assert on_patches(values, (2, 3))[1].tolist() == [[10, 11, 12], [13, 14, 15]]
    assert on_patches(torch.zeros(2, 5, 7, 8), (2, 3)).shape == (2, 5, 7, 2, 3)
