"""Relevance beside a case computed by hand, and the model's gradients beside differences."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from corolla.classifier import Classifier
from corolla.explanations.relevance import relevance
from corolla.models import vit


def test_two_blocks_by_hand() -> None:
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
