"""How long other processes compute, told so that a busy machine does not change who wins."""

import os
import subprocess
import sys


def cpu_seconds(commands: list[list[str]], times: int) -> list[float]:
    """Of the quickest of `times` runs of each of Python's `commands`, in turns: other work only makes them slower."""

    def once(command: list[str]) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return [min(each) for each in zip(*([once(command) for command in commands] for _ in range(times)), strict=True)]
