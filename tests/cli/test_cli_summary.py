"""`corolla summary` prints the figures that the papers print."""

from collections.abc import Callable

import pytest

from corolla.cli.layers import walk
from corolla.sizes import SIZES, vit_config


@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [  # millions and billions as printed by the papers (2010.11929 table 1, 2012.12877 table 1) and by timm
        ("vit_tiny_patch16_224", 5_717_416, 1.26),
        ("vit_small_patch16_224", 22_050_664, 4.61),
        ("vit_base_patch16_224", 86_567_656, 17.56),
        ("vit_large_patch16_224", 304_326_632, 61.6),
        ("vit_huge_patch14_224", 632_045_800, 167.3),
    ],
)
def test_parameters_and_multiply_adds_are_the_known_ones(name: str, parameters: int, billions: float) -> None:
    whole = walk(vit_config(name, 1000))[0]
    assert whole.parameters == parameters
    assert whole.multiply_adds / 1e9 == pytest.approx(billions, rel=0.01)


@pytest.mark.parametrize("name", ["vit_micro_patch8_32", "vit_micro_conv16_64"])
def test_the_parts_add_up_to_the_whole(name: str) -> None:
    layers = walk(vit_config(name, 3))
    whole, parts = layers[0], [layer for layer in layers if layer.path]
    leaves = [a for a in parts if not any(b.path.startswith(f"{a.path}.") for b in parts)]
    assert sum(leaf.parameters for leaf in leaves) == whole.parameters
    blocks = [layer for layer in parts if layer.kind == "Block"]
    # Attention's products of matrices belong to no leaf.
    others = [layer for layer in leaves if not layer.path.startswith("blocks.")]
    assert sum(layer.multiply_adds for layer in blocks + others) == whole.multiply_adds
    assert len({layer.multiply_adds for layer in blocks}) == 1


def test_the_table(corolla: Callable) -> None:
    said = corolla("summary", "vit_base_patch16_224", "--classes", 5)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds"]
    assert any(line.split() == ["head", "Head", "1", "x", "5", "3,845", "3,840"] for line in lines)
    assert any(line.strip().startswith("blocks 1 to 11") and "77,966,592" in line for line in lines)
    assert "85,802,501 parameters" in lines[-1]


def test_a_misspelt_name_is_answered_with_its_neighbours(corolla: Callable) -> None:
    assert "vit_base_patch16_224" in corolla("summary", "vit_bas_patch16_224").line


def test_the_help_names_every_size(corolla: Callable) -> None:
    said = corolla("summary", "--help").out
    assert all(size in said for size in SIZES)
