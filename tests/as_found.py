"""Checks that every test leaves process-wide state unchanged, so that no test depends on their order.

A test that leaves something changed fails itself, and not another one that happens to come later.
"""

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Examples have no time limit, since the machine may be busy. Every example rewrites the test's own folder.
PATIENT = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("corolla", deadline=None, suppress_health_check=PATIENT, print_blob=True)
settings.load_profile("corolla")

# Environment variables that existed before, and this project's; libraries add their own on import.
FOUND = frozenset(os.environ) - {"PYTEST_CURRENT_TEST"}
STEERING = ("COROLLA_", "ACCELERATE_", "HF_", "OMP_", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_", "COLUMNS", "TZ")


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)  # whatever was sampled before
    before = state()
    yield
    after = state()
    known = {name for name in before.keys() | after if name[0] == "$" or name in before}  # a library may be new
    changed = sorted(name for name in known if before.get(name) != after.get(name))
    assert not changed, f"this test leaves other settings of the process behind: {', '.join(changed)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the order of the tests even with -q: a failure may depend on it."""
    seed = terminalreporter.config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"in the order of --randomly-seed={seed}")


def state() -> dict[str, Any]:
    """The state that all tests share, by name; only of loaded libraries."""
    steering = {name for name in os.environ if name.startswith(STEERING)}
    said: dict[str, Any] = {f"${name}": os.environ.get(name) for name in FOUND | steering}
    said |= {"folder": Path.cwd(), "garbage": gc.isenabled(), "quiet logs": logging.root.manager.disable}
    if threading.current_thread() is threading.main_thread():
        said |= {number.name: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        said |= {"threads": torch.get_num_threads(), "type": torch.get_default_dtype()}
        said |= {"gradients": torch.is_grad_enabled(), "products": torch.get_float32_matmul_precision()}
        said["deterministic"] = torch.are_deterministic_algorithms_enabled()
        said["joined"] = torch.distributed.is_available() and torch.distributed.is_initialized()
    if "matplotlib" in sys.modules:
        said["drawing"] = dict(sys.modules["matplotlib"].rcParams)
    if "PIL.ImageFile" in sys.modules:
        said["cut images"] = sys.modules["PIL.ImageFile"].LOAD_TRUNCATED_IMAGES
        said["largest image"] = sys.modules["PIL.Image"].MAX_IMAGE_PIXELS
    return said
