"""The wall clock is set forwards and backwards by days and years during a training."""

import os
from pathlib import Path

from breaking.setting import Setting, Tally
from corolla.lock import locked
from corolla.run import Run

# Debian's package `faketime`: the real clock of a real process. Without it, Python's own in `fake_clock`.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
JUMPS = ("+1d", "+40d", "+9000d", "-1d", "-40d", "-9000d", "+0d")


def environment(clock: Path) -> dict[str, str]:
    """Environment that shifts a process's wall clock by the offset in the file `clock`, not its monotonic clock."""
    if LIBRARIES:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
    hook = str(Path(__file__).with_name("fake_clock"))
    return {"PYTHONPATH": os.pathsep.join([hook, os.environ.get("PYTHONPATH", "")]), "CLOCK_FILE": str(clock)}


def set_the_clock(setting: Setting, tries: int) -> Tally:
    """Set the clock several times during a training that fills its cache, while another process fills the same one."""
    tally = Tally("the wall clock set by up to 25 years, forwards and backwards, during a training")
    for _ in range(tries):
        run, clock, cache = setting.new("run"), setting.new("clock"), setting.new("cache")
        clock.write_text(setting.dice.choice(JUMPS))
        others = cache / "pixels" / ".other-unfinished"
        faked = environment(clock)
        if "PYTHONPATH" in faked:
            faked["PYTHONPATH"] += os.pathsep + setting.commands.environment["PYTHONPATH"]
        with locked(others, "decoding"):
            (others / "pixels").touch()
            process = setting.train(run, cold=True, environment=faked | {"COROLLA_CACHE": str(cache)})
            for epoch in (1, 3, 5, 6, 7):
                process.wait_for(f"epoch {epoch}/")
                clock.write_text(setting.dice.choice(JUMPS))
            ended = process.wait()
            kept = (others / "pixels").is_file()
        odd = "" if kept else "the other process's unfinished images were deleted; "
        odd += durations(Run(run), ended.seconds)
        tally.count(ended.status == 0 and ended.orderly, odd + setting.differences(run), ended.err)
    return tally


def durations(run: Run, seconds: float) -> str:
    """Describes implausible durations in a run's files; "" if there are none."""
    said = [row["seconds"] for row in run.history()]
    minutes = run.load_config().training.get("minutes", -1)
    if not all(0 <= each <= seconds for each in said) or not 0 < minutes * 60 <= seconds:
        return f"took {seconds:.1f} s but reports {said} and {minutes} minutes; "
    return ""
