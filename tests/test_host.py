"""The allocator keeps what it was told to keep."""

import os
import subprocess
import sys

import pytest

CHILD = """
import resource, sys
import torch
from corolla.host import tune_malloc
if sys.argv[1] == "keep":
    assert tune_malloc()
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        for size in (2**24, 2**22):
            block = torch.ones(size)
            del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(8)  # until the heap has grown to what is needed
print(faults(8))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_freed_memory_is_not_asked_of_the_system_again() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def faults(how: str) -> int:
        words = [sys.executable, "-c", CHILD, how]
        return int(subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout)

    assert faults("keep") * 4 < faults("leave")
