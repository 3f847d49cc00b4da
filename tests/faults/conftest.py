"""One small training, unbroken, for everything that is broken here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from breaking.process import commands
from breaking.setting import Setting


@pytest.fixture(scope="session")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("faults")
    with commands(folder) as made:
        yield Setting(folder, made)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process of a parallel test run has all of them, or the training would be made in each."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("faults"))
