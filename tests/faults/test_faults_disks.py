"""Disks that are full, read-only or gone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from breaking import disks
from breaking.process import LIMIT
from breaking.setting import Setting
from faults import EXPERIMENTS

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"


@pytest.mark.parametrize(
    ("name", "tries"), [("full", 1), ("full-cache", 1), ("read-only-data", 1), ("read-only-run", 1)]
)
def test_a_disk_that_is_full_or_read_only_loses_nothing(setting: Setting, name: str, tries: int) -> None:
    if disks.can_mount():
        tally = EXPERIMENTS[name][2](setting, tries)
        assert tally.good, tally.wrong
        return
    # Not root: a namespace in which this user is.
    namespace = shutil.which("unshare")
    if not namespace or subprocess.run([namespace, "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root or user namespaces")
    command = [namespace, "-Urm", sys.executable, str(SCRIPT), "--only", name, "--tries", str(tries)]
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, check=False, capture_output=True, text=True, timeout=2 * LIMIT
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"| {tries} | {tries} | {tries} |" in ended.stdout


def test_half_a_line_of_the_history_is_written_again(setting: Setting) -> None:
    tally = disks.half_a_line(setting, 1)
    assert tally.good, tally.wrong


def test_images_that_are_gone_are_told_and_waited_for(setting: Setting) -> None:
    tally = disks.images_gone(setting, 1)
    assert tally.good, tally.wrong


def test_one_image_gone_or_changed_is_named(setting: Setting) -> None:
    tally = disks.one_image_gone_or_changed(setting, 2)
    assert tally.good, tally.wrong
