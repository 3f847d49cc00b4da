"""What the experiments start from."""

import psutil
import pytest

from breaking.process import CAN_FORK
from breaking.setting import Setting


@pytest.mark.skipif(not CAN_FORK, reason="processes are started anew here")
def test_what_is_forked_has_loaded_everything_already(setting: Setting) -> None:
    """Or each of hundreds of small trainings would load it for longer than it trains."""
    assert setting.commands.loaded
    there = " ".join(each.path for each in psutil.Process(setting.commands.loaded.pid).memory_maps())
    assert all(f"/{package}/" in there for package in ("torch", "torchvision", "sklearn", "scipy", "matplotlib"))
