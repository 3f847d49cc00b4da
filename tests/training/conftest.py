"""Small pictures that can be told apart, for trainings that take seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 40, 30)}


@pytest.fixture(scope="session")
def swatches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 20 noisy pictures each, every one a colour with a patch of another."""
    root, rng = tmp_path_factory.mktemp("swatches"), np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir()
        for number in range(20):
            pixels = np.array(colour) + rng.normal(0, 60, (40, 48, 3))
            top, left = rng.integers(0, 24, 2)
            pixels[top : top + 14, left : left + 14] = rng.integers(0, 256, 3)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{name} {number:02}.png")
    return root
