"""What import-linter, which `make lint` runs with the table in pyproject.toml, does not look at."""

from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "corolla"


def test_files_stay_short_enough_to_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert lengths.pop(SOURCE / "models" / "vit.py") <= 450  # the whole model, to be read beside the paper
    assert {path.name: length for path, length in lengths.items() if length > 340} == {}
