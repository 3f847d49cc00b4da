import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import Parameter

from corolla.training.muon import Muon, orthogonalise


def matrices(seed: int) -> list[Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(24, 8), (8, 24), (24, 8), (16, 16)]
    return [Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def test_updates_equal_torch_muon() -> None:
    """torch.optim.Muon iterates in bfloat16, so the two agree to its precision and no further."""
    ours, theirs = matrices(0), matrices(0)
    settings_ = {"lr": 0.02, "weight_decay": 0.1}
    a = Muon(ours, **settings_)
    b = torch.optim.Muon(theirs, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw", **settings_)
    before = [parameter.detach().clone() for parameter in ours]
    for step in range(5):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            mine.grad = torch.randn(mine.shape, generator=torch.Generator().manual_seed(10 * step + index))
            other.grad = mine.grad.clone()
        a.step()
        b.step()
    for start, mine, other in zip(before, ours, theirs, strict=True):
        moved = (mine - start).norm()
        assert moved > 0.01
        assert (mine - other).norm() < 0.02 * moved


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 1000))
def test_singular_values_come_near_one_and_directions_stay(rows: int, columns: int, seed: int) -> None:
    # Built from its singular values, which Newton-Schulz needs to be within a few hundred of each other.
    generator = torch.Generator().manual_seed(seed)
    rank = min(rows, columns)
    u = torch.linalg.qr(torch.randn(rows, rank, generator=generator)).Q
    v = torch.linalg.qr(torch.randn(columns, rank, generator=generator)).Q
    matrix = (u * torch.linspace(0.1, 1.0, rank)) @ v.T
    result = orthogonalise(matrix[None], torch.float32)[0]
    values = torch.linalg.svdvals(result)
    assert 0.3 < values.min() <= values.max() < 1.5
    across = u.T @ result @ v  # diagonal if the singular directions are kept
    assert (across - across.diag().diag()).abs().max() < 0.01


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_is_updated_as_the_matrix_it_is(layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(8, 4, 3, 3, generator=generator)
    kernel, matrix = Parameter(weights.clone(memory_format=layout)), Parameter(weights.flatten(1).clone())
    optimizer = Muon([kernel, matrix], lr=0.02, weight_decay=0.1)
    for _ in range(3):
        gradient = torch.randn(weights.shape, generator=generator)
        kernel.grad, matrix.grad = gradient.to(memory_format=layout), gradient.flatten(1)
        optimizer.step()
    assert (matrix - weights.flatten(1)).norm() > 0.01
    torch.testing.assert_close(kernel.flatten(1), matrix, rtol=1e-5, atol=1e-6)
    assert kernel.is_contiguous(memory_format=layout)


def test_vectors_are_not_taken() -> None:
    with pytest.raises(ValueError, match="AdamW"):
        Muon([Parameter(torch.zeros(3))], lr=0.1, weight_decay=0.0)
