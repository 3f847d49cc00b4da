"""What the tests share: where the real photographs lie, and small sets of pictures made on the spot."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["hub_standin"]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the tests' own: they neither see nor touch what the user has fetched."""
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
