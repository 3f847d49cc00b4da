"""Rollout and relevance beside cases computed by hand; what the head reads, and which tokens are patches."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from corolla.classifier import Classifier
from corolla.explanations.methods import on_patches, read_shares, relevance, rollout
from corolla.models import vit


def test_rollout_of_two_blocks_by_hand() -> None:
    first = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])  # (B, h, S, S): token 1 looks half at token 0
    second = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])  # token 0 looks at token 1
    # (first + I) / 2 is 1, 0 / .25, .75 and (second + I) / 2 is .5, .5 / 0, 1; the second comes after the first.
    expected = torch.tensor([[[0.625, 0.375], [0.25, 0.75]]])
    torch.testing.assert_close(rollout([first, second]), expected)
    assert not torch.allclose(rollout([second, first]), expected)


def test_rollout_averages_heads_and_its_rows_sum_to_one() -> None:
    attention = [
        torch.rand(3, 4, 7, 7, generator=torch.Generator().manual_seed(block)).softmax(dim=-1) for block in (0, 1, 2)
    ]
    rolled = rollout(attention)
    assert rolled.shape == (3, 7, 7)
    torch.testing.assert_close(rolled.sum(dim=-1), torch.ones(3, 7))
    torch.testing.assert_close(rolled, rollout([block.mean(dim=1, keepdim=True) for block in attention]))


def test_a_model_that_attends_to_itself_alone_moves_nothing() -> None:
    torch.testing.assert_close(rollout([torch.eye(5).expand(1, 2, 5, 5)] * 3), torch.eye(5)[None])


def test_relevance_of_two_blocks_by_hand() -> None:
    """The logit is the first token of A2 A1 v, so its gradients are outer products that can be written down."""
    first = torch.tensor([[[[0.5, 0.5], [0.25, 0.75]]]], requires_grad=True)
    second = torch.tensor([[[[0.5, 0.5], [0.9, 0.1]]]], requires_grad=True)
    value = torch.tensor([2.0, -1.0])
    logit = (second[0, 0] @ (first[0, 0] @ value))[0]
    # d/dA1[i, j] = A2[0, i] v[j]: 1, -.5 in both rows; d/dA2[0, j] = (A1 v)[j]: .5, -.25; negative products count 0.
    raising_first = torch.tensor([[0.5, 0.0], [0.25, 0.0]])
    raising_second = torch.tensor([[0.25, 0.0], [0.0, 0.0]])
    expected = (torch.eye(2) + raising_second) @ (torch.eye(2) + raising_first)
    torch.testing.assert_close(relevance([first, second], logit[None]), expected[None])
    assert first.grad is None


def test_heads_are_averaged_after_what_lowers_the_logit_is_left_out() -> None:
    weights = torch.full((1, 2, 2, 2), 0.5, requires_grad=True)
    signs = torch.tensor([3.0, -1.0]).view(2, 1, 1)  # one head raises the logit and the other lowers it
    found = relevance([weights], (weights * signs).sum()[None])
    torch.testing.assert_close(found[0], torch.eye(2) + 3.0 * 0.5 / 2)


def test_images_of_a_batch_do_not_mix() -> None:
    weights = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    values = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    together = relevance([weights], torch.einsum("bhst,bt->b", weights, values))
    second = weights[1:2].detach().requires_grad_()
    alone = relevance([second], torch.einsum("bhst,bt->b", second, values[1:2]))
    torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize("block", [0, 1])
def test_the_gradient_is_how_the_logit_moves_with_an_attention_weight(
    chance: Callable[..., Classifier], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With respect to A after the softmax, in a whole model, against a difference."""
    model = chance().model.double()
    images = torch.randn(1, 3, 16, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = model.forward_intermediates(images)
    gradient = torch.autograd.grad(seen.logits[0, 1], seen.attention)[block]
    written, place, step = vit.eager_attention, (0, 1, 0, 3), 3e-3  # a softmax is computed in single precision

    def logit(change: float) -> float:
        met = []

        def nudged(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            weights = written(q, k, v)[1].clone()
            if len(met) == block:
                weights[place] += change
            met.append(weights)
            return weights @ v, weights

        monkeypatch.setattr(vit, "eager_attention", nudged)
        return float(model.forward_intermediates(images).logits[0, 1])

    with torch.no_grad():
        slope = (logit(step) - logit(-step)) / (2 * step)
    assert slope != 0
    assert float(gradient[place]) == pytest.approx(slope, rel=1e-2)


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
