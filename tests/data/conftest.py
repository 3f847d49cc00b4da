"""Every data test has its own cache folder and does not see the user's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImage = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no `COROLLA_DATA`."""
    folder = tmp_path / "own cache"
    monkeypatch.setenv("COROLLA_CACHE", str(folder))
    monkeypatch.delenv("COROLLA_DATA", raising=False)
    return folder


@pytest.fixture
def make_image() -> MakeImage:
    """Writes an image of random blobs, a different one for every seed."""

    def make(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path, format="PNG", compress_level=1)
        return path

    return make
