"""`kill -9`, at any moment of a training."""

import signal
import time
from contextlib import suppress

import psutil

from breaking.setting import EPOCHS, Setting, Tally, stage_of


def kill_at_random_moments(setting: Setting, tries: int, cold: int = 1) -> Tally:
    """Kill a training at a random moment, resume it, kill it again, until `tries` kills.

    Each moment is some time after one of the lines that a training prints. The first is before the first epoch; the
    others are stratified over the lines, to cover every stage.

    A training that finishes between two kills is compared with the uninterrupted one, and a new one starts. The first
    `cold` processes start like a user's, including the import of libraries.
    """
    tally = Tally("`kill -9` of a training at a random moment, then `--resume`")
    lines = ["images of", *(f"epoch {number}/" for number in range(1, EPOCHS + 1))]
    run, killed, moments = setting.new("killed"), 0, 0
    while tally.tried < tries or killed:
        last = tally.tried + killed >= tries
        process = setting.train(run, "--resume", cold=moments < cold)
        share = (moments + setting.dice.random()) / tries % 1 if moments else 0.0
        moments += 1
        if last or not process.wait_for(lines[int(share * len(lines))]):
            ended = process.wait()
        else:
            until = time.monotonic() + setting.dice.random() * setting.seconds / len(lines)
            while time.monotonic() < until and process.poll() is None:
                time.sleep(0.001)
            ended = process.kill()
        if ended.status == -signal.SIGKILL:
            killed += 1
            tally.where[stage_of(run)] += 1
            continue
        for _ in range(killed):  # each kill is survived only if the run is complete in the end
            tally.count(ended.status == 0 and ended.orderly, setting.differences(run), ended.err)
        run, killed = setting.new("killed"), 0
    return tally


def kill_a_worker(setting: Setting, tries: int) -> Tally:
    """Kill a data loading process in the middle of an epoch."""
    tally = Tally("`kill -9` of a process that prepares images")
    while tally.tried < tries:
        run, killed = setting.new("worker"), False
        process = setting.train(run, "--workers", 2)
        if process.wait_for(f"epoch {setting.dice.randint(1, 5)}/"):
            time.sleep(setting.dice.uniform(0, 0.2))
            with suppress(psutil.NoSuchProcess, IndexError):
                setting.dice.choice(process.children()).kill()
                killed = True
        ended = process.wait()
        if ended.status == 0 and not killed:
            continue  # the training finished before
        tally.count(ended.status == 0 and ended.orderly, setting.differences(run), ended.err)
    return tally


def two_in_one_folder(setting: Setting, tries: int) -> Tally:
    """Start a second training, a calibration and an evaluation in the folder of a running training; then kill it."""
    tally = Tally("a second training, a calibration, an evaluation in the same run folder")
    for _ in range(tries):
        run = setting.new("shared")
        first = setting.train(run)
        first.wait_for("epoch 1/")
        refused = [
            setting.train(run, "--resume").wait(),
            setting.train(run).wait(),
            setting.commands.run("calibrate", run),
            setting.commands.run("evaluate", run),
        ]
        in_time = first.poll() is None
        first.kill()
        for ended in refused:
            told = (
                ended.status == 2 and "another process works in" in ended.last and str(first.process.pid) in ended.last
            )
            if in_time and not told:
                tally.wrong.append(f"was not refused: {ended.err}")
        ended = setting.resume(run)  # the killed training's lock is released
        tally.count(ended.status == 0 and ended.orderly, setting.differences(run), ended.err)
    return tally


def stop_twice(setting: Setting, tries: int, signals: tuple[int, int], status: int, name: str) -> Tally:
    """Ctrl-C or SIGTERM at a random moment, again a random time later, then resume."""
    tally = Tally(name)
    for number in range(tries):
        run = setting.new("stopped")
        process = setting.train(run, cold=number == 0)
        process.wait_for("images of")  # the first line of corolla: before it, Python is still importing
        time.sleep(setting.dice.uniform(0, setting.seconds * 0.8))
        process.send(signals[0])
        time.sleep(setting.dice.choice((0.0, 0.001, 0.01, 0.1, 1.0)) * setting.dice.random())
        process.send(signals[1])
        ended = process.wait()
        tally.where[stage_of(run)] += 1
        # Outside the epochs there is nothing to save, and SIGTERM has its default effect: 143 in a shell.
        at_once = ended.status == -signal.SIGTERM == -signals[0] and "Traceback" not in ended.err
        in_order = at_once or (ended.status in (0, status) and ended.orderly)
        again = setting.resume(run)
        said = f"{ended.status} {ended.err} {again.err}"
        tally.count(in_order and again.status == 0 and again.orderly, setting.differences(run), said)
    return tally
