"""Attention rollout beside a case computed by hand."""

import torch

from corolla.explanations.rollout import rollout


def test_two_blocks_by_hand() -> None:
    first = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])  # (B, h, S, S): token 1 looks half at token 0
    second = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])  # token 0 looks at token 1
    # (first + I) / 2 is 1, 0 / .25, .75 and (second + I) / 2 is .5, .5 / 0, 1; the second comes after the first.
    expected = torch.tensor([[[0.625, 0.375], [0.25, 0.75]]])
    torch.testing.assert_close(rollout([first, second]), expected)
    assert not torch.allclose(rollout([second, first]), expected)


def test_heads_are_averaged_and_rows_sum_to_one() -> None:
    attention = [
        torch.rand(3, 4, 7, 7, generator=torch.Generator().manual_seed(block)).softmax(dim=-1) for block in (0, 1, 2)
    ]
    rolled = rollout(attention)
    assert rolled.shape == (3, 7, 7)
    torch.testing.assert_close(rolled.sum(dim=-1), torch.ones(3, 7))
    torch.testing.assert_close(rolled, rollout([block.mean(dim=1, keepdim=True) for block in attention]))


def test_a_model_that_attends_to_itself_alone_moves_nothing() -> None:
    torch.testing.assert_close(rollout([torch.eye(5).expand(1, 2, 5, 5)] * 3), torch.eye(5)[None])
