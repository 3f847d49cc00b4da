"""CPU times of other processes, measured so that a busy machine does not change the order."""

import os
import subprocess
import sys


def cpu_seconds(commands: list[list[str]], times: int) -> list[float]:
    """The minimum of `times` runs of each of Python's `commands`, interleaved: other work only makes them slower."""

    def once(command: list[str]) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return [min(each) for each in zip(*([once(command) for command in commands] for _ in range(times)), strict=True)]
