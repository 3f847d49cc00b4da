"""The ceiling is the best shape's, and no shape takes more time than there is."""

from dataclasses import replace

import pytest
import torch

from corolla.bench import ceiling
from corolla.bench.ceiling import Shape, find_ceiling, operations, product_rate, shapes_to_try
from corolla.models.names import vit_config

SMALL = vit_config("vit_small_patch16_224", 5)


def test_a_product_has_two_operations_for_each_multiplication() -> None:
    assert operations((2, 3, 5)) == 60


def test_the_shapes_are_those_of_the_models_and_come_in_order() -> None:
    shapes = shapes_to_try([SMALL, SMALL], 32)
    assert {(32 * 196, 384, 1536), (32 * 196, 1536, 384), (1024, 1024, 1024)} <= set(shapes)
    counts = [operations(shape) for shape in shapes]
    assert counts == sorted(counts)
    assert len(shapes) == len(set(shapes))


def test_products_too_small_to_measure_are_left_out() -> None:
    tiny = replace(SMALL, embed_dim=48, num_heads=3, mlp_dim=96)
    assert all(len(set(shape)) == 1 for shape in shapes_to_try([tiny], 1))


def test_the_best_shape_is_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: dict[Shape, float] = {(1, 1, 1): 5e15, (2, 2, 2): 9e15, (3, 3, 3): 7e15}
    monkeypatch.setattr(ceiling, "product_rate", lambda shape, *_: rates[shape])
    found = find_ceiling(torch.float32, list(rates), "cpu", 1.0)
    assert (found.precision, found.rate, found.shape) == ("float32", 9e15, (2, 2, 2))
    assert found.to_json() == {"gflops": 9e6, "shape": [2, 2, 2]}


def test_where_products_are_slow_the_large_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Shape] = []

    def slow(shape: Shape, *_: object) -> float:
        tried.append(shape)
        return 1e9

    monkeypatch.setattr(ceiling, "product_rate", slow)
    find_ceiling(torch.bfloat16, [(1024, 1024, 1024), (8192, 8192, 8192)], "cpu", 20.0)
    assert tried == [(1024, 1024, 1024)]  # four calls of the other would take an hour


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_rate_is_measured(precision: torch.dtype) -> None:
    assert 1e6 < product_rate((64, 64, 64), precision, "cpu", 0.01) < 1e15
