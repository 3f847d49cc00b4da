"""Shared fixtures: the folder of the real photographs, and small generated sets of images."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest_plugins = ["as_found", "exported", "hub_standin"]

# Test files that take a minute or more start first, so that no process of a parallel run waits for them at the end.
# Each file runs in one process, which shares the file's fixtures.
SLOW_FILES = {
    *("test_several_processes", "test_every_file", "test_notebooks", "test_faults_disks", "test_faults_killing"),
    *("test_device", "test_habits_trained", "test_stopping", "test_train", "test_adapting", "test_scripts"),
    *("test_slurm", "test_big_sets", "test_export"),
}


@pytest.hookimpl(trylast=True)  # after the other plugins have reordered them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in SLOW_FILES)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A separate cache: tests neither see nor change the user's downloads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COROLLA_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("COROLLA_DATA", raising=False)
        yield


@pytest.fixture(scope="session")
def flower_photos() -> Path:
    """The real `flower_photos` folder: `COROLLA_TEST_FLOWERS`, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "flower_photos"
    folder = Path(os.environ.get("COROLLA_TEST_FLOWERS", beside))
    if not (folder / "splits.csv").is_file():
        pytest.skip("the real flower photographs are not beside this checkout")
    return folder


COLORS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 40, 30)}


@pytest.fixture(scope="session")
def swatches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 20 noisy images each, every one a color with a patch of another."""
    root, rng = tmp_path_factory.mktemp("swatches"), np.random.default_rng(0)
    for name, color in COLORS.items():
        (root / name).mkdir()
        for number in range(20):
            pixels = np.array(color) + rng.normal(0, 60, (40, 48, 3))
            top, left = rng.integers(0, 24, 2)
            pixels[top : top + 14, left : left + 14] = rng.integers(0, 256, 3)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{name} {number:02}.png")
    return root
