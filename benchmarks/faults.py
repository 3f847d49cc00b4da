"""Breaks real processes and real files while corolla works, and checks the result.

    python benchmarks/faults.py [--only kill full ...] [--tries 20] [--seed 0]

Every experiment trains a small model on painted images, breaks something at a random moment or place drawn by the seed,
resumes with `--resume`, and compares weights, calibration, history and figures of the run bit by bit with those of an
uninterrupted one. Exit status 1 if anything was lost. Small disks and read-only folders need root, or `unshare -Urm` in
front.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from breaking import clocks, disks, flips, killing
from breaking.flips import Flips
from breaking.process import commands
from breaking.setting import Setting, Tally
from corolla.training.runtime import hardware

INTERRUPTS, TERMINATES = (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM)
# By name: the default number of tries, whether it needs its own disk, and the function that does it.
EXPERIMENTS: dict[str, tuple[int, bool, Callable[[Setting, int], Tally]]] = {
    "kill": (20, False, killing.kill_at_random_moments),
    "interrupt": (5, False, lambda s, n: killing.stop_twice(s, n, INTERRUPTS, 130, "Ctrl-C twice, then `--resume`")),
    "terminate": (5, False, lambda s, n: killing.stop_twice(s, n, TERMINATES, 143, "SIGTERM, then `--resume`")),
    "worker": (5, False, killing.kill_a_worker),
    "two": (3, False, killing.two_in_one_folder),
    "full": (5, True, disks.full_while_saving),
    "full-cache": (3, True, disks.full_cache),
    "half-line": (5, False, disks.half_a_line),
    "read-only-data": (2, True, disks.read_only_images),
    "read-only-run": (2, True, disks.read_only_run),
    "gone": (2, False, disks.images_gone),
    "image": (4, False, disks.one_image_gone_or_changed),
    "checkpoint": (3, False, flips.resume_from_a_damaged_checkpoint),
    "clock": (3, False, clocks.set_the_clock),
}
FLIPS: dict[str, tuple[int, Callable[[Setting, int], list[Flips]]]] = {
    "bits-of-runs": (1000, flips.flip_in_runs),
    "bits-of-caches": (500, flips.flip_in_caches),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*EXPERIMENTS, *FLIPS], help="only these experiments")
    parser.add_argument("--tries", type=int, help="number of tries of each experiment")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    wanted, mounts = set(asked.only or [*EXPERIMENTS, *FLIPS]), disks.can_mount()
    tallies: list[Tally] = []
    counts: list[Flips] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, commands(Path(folder)) as made:
        setting = Setting(Path(folder), made, asked.seed)
        for name, (tries, needs_disk, experiment) in EXPERIMENTS.items():
            if name not in wanted:
                continue
            if needs_disk and not mounts:
                print(f"{name} needs its own disk: run as root, or with `unshare -Urm` in front", file=sys.stderr)
                continue
            tallies.append(experiment(setting, asked.tries or tries))
            print(tallies[-1].row(), *tallies[-1].wrong, sep="\n", file=sys.stderr, flush=True)
        for name, (tries, flip) in FLIPS.items():
            if name in wanted:
                counts += flip(setting, asked.tries or tries)
    if tallies:
        print("| what was done | tried | survived | nothing lost | seconds |\n|---|--:|--:|--:|--:|")
        print(*(tally.row() for tally in tallies), sep="\n")
        for tally in tallies:
            if tally.where:
                print(f"\n{tally.done}: {tally.told()}.")
    if counts:
        print("\n| one bit flipped in | tried | refused | rebuilt | harmless | wrong | seconds |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        print(*(count.row() for count in counts), sep="\n")
    print(f"\nOn {hardware(torch.device('cpu'))}; one uninterrupted training takes {setting.seconds:.1f} s.")
    return 0 if all(each.good for each in (*tallies, *counts)) else 1


if __name__ == "__main__":
    sys.exit(main())
