"""Shared fixtures of the tests of trainings."""

from pathlib import Path
from typing import IO, Any

import pytest
from matplotlib.figure import Figure
from PIL import Image


@pytest.fixture(autouse=True)
def _blank_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are blank: drawing takes longer than most trainings here, and tests/report covers it."""

    def blank(figure: Figure, target: Path | IO[str], *, format: str = "png", **_: Any) -> None:
        if isinstance(target, Path):
            Image.new("RGB", (8, 8), "white").save(target, format)
        else:
            target.write("<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", blank)
