"""One small training, unbroken, for everything that is broken here."""

from collections.abc import Iterator

import pytest

from breaking.process import commands
from breaking.setting import Setting


@pytest.fixture(scope="session")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("faults")
    with commands(folder) as made:
        yield Setting(folder, made)
