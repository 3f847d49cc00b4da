"""`corolla summary` prints the layers as a table."""

from collections.abc import Callable

from corolla.models.names import SIZES


def test_the_table(corolla: Callable) -> None:
    said = corolla("summary", "vit_base_patch16_224", "--classes", 5)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "MACs"]
    assert any(line.split() == ["head", "Head", "1", "x", "5", "3,845", "3,840"] for line in lines)
    assert any(line.strip().startswith("blocks 1 to 11") and "77,966,592" in line for line in lines)
    assert "85,802,501 parameters" in lines[-1]


def test_a_misspelled_name_is_answered_with_its_neighbors(corolla: Callable) -> None:
    assert "vit_base_patch16_224" in corolla("summary", "vit_bas_patch16_224").line


def test_the_help_names_every_size(corolla: Callable) -> None:
    said = corolla("summary", "--help").out
    assert all(size in said for size in SIZES)
