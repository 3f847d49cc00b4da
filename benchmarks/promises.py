"""Whether the promises on the first screen of the README still hold: each claim and its measurement now.

    python benchmarks/promises.py
    python benchmarks/promises.py --only help cold-start
    python benchmarks/promises.py --list

Takes less than 20 minutes on two idle cores. The claims and their tolerances are in `promises.toml`. For claims that
take longer, it prints when they were measured and what has changed since. Exit status 1 if a promise is broken or
cannot be measured.
"""

import argparse
import functools
import os
import platform
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promised import Promise, Promises, git, promised, read, shown, since

CPUINFO = Path("/proc/cpuinfo")
QUIET = 0.25  # load per core below which a machine is idle
UNITS = {"amx_tile": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX512", "avx2": "AVX2"}


def processor(cpuinfo: Path = CPUINFO) -> tuple[str, list[str]]:
    """The processor, and the arithmetic units that determine its speed."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            name = value if key == "model name" else name
            flags |= set(value.split()) if key == "flags" else set()
    return name, [unit for flag, unit in UNITS.items() if flag in flags]


def machine(cpuinfo: Path = CPUINFO) -> str:
    """The processor with its units, and the number of cores."""
    name, units = processor(cpuinfo)
    return f"{os.cpu_count()} cores of {name} with {', '.join(units) or 'units unknown'}"


def surroundings() -> list[str]:
    """What a figure depends on besides the code: machine, commit, other work."""
    commit = git("rev-parse", "--short", "HEAD") or "no commit"
    state = "with changes that are not committed" if git("status", "--porcelain") else "clean"
    lines = [machine(), f"commit {commit}, {state}"]
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        lines.append(f"load {load:.2f} at the start")
        if load > QUIET * (os.cpu_count() or 1):
            lines.append("WARNING: other programs use this machine, which may be the cause of a broken promise")
    return lines


def check(
    promises: Sequence[Promise],
    measures: Mapping[str, Callable[[Any], float]],
    scene: Any,
    tell: Callable[[str], None] = print,
    units: Collection[str] = (),
) -> bool:
    """Measure the promises that have a measure and print a Markdown table; returns whether all of them hold.

    A promise about processors without any of these `units` is measured but not judged.
    """
    tell("| promise | promised | measured | kept | seconds |\n|---|---|---|---|---|")
    all_kept = True
    for promise in promises:
        if not promise.measure:
            continue
        begun = time.monotonic()
        try:
            measured = measures[promise.measure](scene)
            told, kept = shown(measured, promise.unit), promise.kept(measured)
        except Exception as error:  # counts as broken, and the others are still measured
            told, kept = f"failed: {' '.join(str(error).split())[:200] or type(error).__name__}", False
        elsewhere = not promise.about(units)
        all_kept &= kept or elsewhere
        word = f"for {' or '.join(promise.needs)}" if elsewhere else "yes" if kept else "**no**"
        seconds = time.monotonic() - begun
        tell(f"| {promise.claim} | {promised(promise)} | {told} | {word} | {seconds:.0f} |")
    return all_kept


def listed(known: Promises) -> list[str]:
    """One line per promise."""
    return [
        f"{promise.name:<20} {promised(promise):<34} {promise.claim}; {promise.hardware}, {promise.seeds} "
        f"{'seed' if promise.seeds == 1 else 'seeds'} or rounds, {promise.minutes:g} minutes"
        for promise in known.promises
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="measure only these")
    parser.add_argument("--list", action="store_true", help="print the promises and measure nothing")
    asked, known = parser.parse_args(arguments), read()
    if asked.list:
        print("\n".join(listed(known)))
        return 0
    try:
        chosen = known.chosen(asked.only)
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(surroundings()) + "\n", flush=True)
    kept = True
    if any(promise.measure for promise in chosen):
        from promise_measures import MEASURES, Scene

        with TemporaryDirectory(prefix="corolla-promises-") as folder:
            tell = functools.partial(print, flush=True)
            kept = check(chosen, MEASURES, Scene(Path(folder)), tell, processor()[1])
    for promise in chosen:
        if not promise.measure:
            print(f"\n{promise.claim}: {shown(promise.value, promise.unit)}; {since(promise, known.depends)}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
