"""Imports point one way: the table in docs/architecture.md, station by station."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "corolla"
# A module may import from its own station and from those before it.
STATIONS = [
    {
        "errors",
        "text",
        "paths",
        "atomic",
        "tensors",
        "sealed",
        "lock",
        "progress",
        "pretrained",
        "memory",
        "precision",
        "processes",
        "processors",
        "recipe_parts",
    },
    {"models"},
    {"preprocessing"},
    {"data"},
    {"formats", "run"},
    {"weights"},
    {"bridges"},
    {"trust"},
    {"predictor"},
    {"classifier", "evaluation"},
    {"explanations"},
    {"portable"},
    {"report"},
    {"bulk"},
    {"training"},
    {"bench"},
    {"export"},
    {"audit"},
    {"server"},
    {"cli", "__main__"},
]
RANK = {name: rank for rank, names in enumerate(STATIONS) for name in names}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def station(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The stations that the module imports from, anywhere in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "corolla":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("corolla.")}
    return found & RANK.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_stations_before_its_own(path: Path) -> None:
    own = RANK[station(path)]
    assert {name for name in imported(path) if RANK[name] > own} == set()


def test_every_folder_and_file_belongs_to_a_station() -> None:
    assert {station(path) for path in MODULES} == RANK.keys()


def test_files_stay_short_enough_to_read() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert lengths.pop("vit.py") <= 450  # the whole model, to be read beside the paper
    assert {name: length for name, length in lengths.items() if length > 340} == {}
