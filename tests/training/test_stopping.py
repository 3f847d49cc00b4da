"""Every phase of a training is broken off, by Ctrl-C and by SIGTERM, and goes on to what an unbroken one is."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from corolla.cli import main
from corolla.progress import Progress
from corolla.run import Run
from corolla.training import finishing, preparing
from corolla.training.replanning import TimeBudget

COLORS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 40, 30)}
SPLITS = {"train": 8, "val": 7, "test": 3}  # images of a class; 21 for validation are enough to calibrate with
QUICK = ["--batch-size", "8", "--workers", "0", "--device", "cpu", "--progressive-resizing", "0:1"]
NANO = ["--model", "vit_pico_conv8_16"]
PROBE, TUNED = ["--recipe", "probe"], ["--epochs", "2"]
WAYS: dict[str, list[str]] = {
    "scratch": [*QUICK, *NANO, "--epochs", "2"],
    "dial": [*QUICK, *NANO, "--minutes", "1"],
    "probe": ["--weights", "{pretrained}", "--recipe", "probe", *QUICK],
    "finetune": ["--weights", "{pretrained}", "--epochs", "2", *QUICK],
    "distill": ["--teacher", "{pretrained}", "--teacher-epochs", "1", "--epochs", "2", *QUICK, *NANO],
    "distill in time": ["--teacher", "{pretrained}", "--teacher-epochs", "0", "--minutes", "20", *QUICK, *NANO],
}
# What each of them tells that it does; a test below holds this against what it tells.
BEFORE, AFTER = ["checking"], ["calibrating", "evaluating", "writing the report"]
EPOCHS = ["epoch 1/2", "validating", "epoch 2/2"]
HEAD = ["features of train", "features of val", "fitting the head", "validating"]
TEACHER = [
    "teacher features of train", "teacher features of val", "fitting the teacher's head",
    "teacher features of test", "decoding for the teacher", "teacher, epoch 1/1",
]  # fmt: skip
PREPARING = ["decoding", "measuring compiled code"]
PHASES: dict[str, list[str]] = {
    "scratch": [*BEFORE, *PREPARING, *EPOCHS, *AFTER],
    "dial": [*BEFORE, "measuring this machine", *PREPARING, *EPOCHS, *AFTER],
    "probe": [*BEFORE, *HEAD, *AFTER],
    "finetune": [*BEFORE, *PREPARING, *HEAD, "epoch 1/2", "epoch 2/2", *AFTER],
    "distill": [*BEFORE, *TEACHER, *PREPARING, *EPOCHS, *AFTER],
    "distill in time": [
        *BEFORE,
        "measuring the teacher",
        *TEACHER[:4],
        "measuring this machine",
        *PREPARING,
        *EPOCHS,
        *AFTER,
    ],
}
# Each phase is broken off in one of the ways that have it, and in more where it follows something else there.
BROKEN: dict[str, list[str]] = {
    "scratch": PHASES["scratch"],
    "dial": ["measuring this machine"],
    "probe": [*HEAD, "calibrating"],
    "finetune": [*HEAD, "epoch 1/2"],
    "distill": [*TEACHER, "measuring compiled code", "epoch 1/2"],
    "distill in time": ["measuring the teacher"],
}


def draw(folder: Path, names: dict[str, str], seed: int) -> Path:
    """A folder with the three splits; a class of each color, called by `names`."""
    rng = np.random.default_rng(seed)
    for split, count in SPLITS.items():
        for color, values in COLORS.items():
            place = folder / split / names[color]
            place.mkdir(parents=True)
            for number in range(count):
                pixels = np.array(values) + rng.normal(0, 60, (24, 28, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("data") / "my images", {name: name for name in COLORS}, 0)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows other classes, so that as a teacher it is fitted first."""
    folder = tmp_path_factory.mktemp("pretrained")
    other = draw(folder / "others", dict(zip(COLORS, "abc", strict=True)), 1)
    words = ["train", str(other), "--out", str(folder / "run"), "--model", "vit_pico_patch8_16", "--epochs", "3"]
    assert main([*words, *QUICK, "--quiet"]) == 0
    return folder / "run"


class Heard(Progress):
    """Remembers each stage with its first and last count, and calls `act(title, done, total)` when one moves on."""

    def __init__(self, act: Callable[[str, int, int], None] = lambda title, done, total: None) -> None:
        self.titles: list[str] = []
        self.act = act

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        self.titles.append(title)
        self.act(title, done, total)


def told_by(progress: Progress, words: list[str]) -> int:
    """The exit status of `corolla` with these words, which shows what it does to `progress`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("corolla.progress.progress_for", lambda quiet: progress)
        return main(words)


@pytest.fixture(scope="module")
def words_of(data: Path, pretrained: Path) -> Callable[[str, Path], list[str]]:
    def words(way: str, run: Path) -> list[str]:
        return ["train", str(data), "--out", str(run), *(w.format(pretrained=pretrained) for w in WAYS[way])]

    return words


@pytest.fixture(autouse=True)
def _settled_dial() -> Iterator[None]:
    """The dial measures as ever, and then it is two epochs, so that two trainings by it are the same."""

    fit = preparing.fit_to_minutes

    def two_epochs(*arguments: Any) -> Any:
        plan = fit(*arguments)
        return replace(plan, recipe=plan.recipe.changed(epochs=2, last_epoch=1.0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "fit_to_minutes", two_epochs)
        patch.setattr(TimeBudget, "epochs_left", lambda *_: None)
        yield


@pytest.fixture(autouse=True)
def _quick_images(request: pytest.FixtureRequest) -> Iterator[None]:
    """Curves and report are a file with nothing in it, but where they are what is broken off."""
    with pytest.MonkeyPatch.context() as patch:
        if "writing the report" not in request.node.name:
            patch.setattr(finishing, "draw_curves", lambda history, file: file.touch())
            patch.setattr(finishing, "write_report", lambda run, *_, **__: run.report.touch())
        yield


Unbroken = Callable[[str], tuple[Run, list[str]]]


@pytest.fixture(scope="module")
def unbroken(words_of: Callable[[str, Path], list[str]], tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """The unbroken run of each way, and the titles of all that it told."""
    made: dict[str, tuple[Run, list[str]]] = {}

    def of(way: str) -> tuple[Run, list[str]]:
        if way not in made:
            folder, heard = tmp_path_factory.mktemp(way), Heard()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("COROLLA_CACHE", str(folder / "cache"))
                assert told_by(heard, words_of(way, folder / "run")) == 0
            made[way] = Run(folder / "run"), heard.titles
        return made[way]

    return of


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same_tensors(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def history(run: Run) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if not name.endswith(("seconds", "_per_second"))}
        for row in run.history()
    ]


def assert_same(run: Run, whole: Run) -> None:
    assert same_tensors(run.weights, whole.weights)
    assert same_tensors(run.calibration, whole.calibration)
    assert history(run) == history(whole)
    assert {path.name for path in run.folder.iterdir()} == {path.name for path in whole.folder.iterdir()}
    for name in ("best_epoch", "best_val_accuracy", "epochs", "finished"):
        assert run.load_config().training[name] == whole.load_config().training[name]
    kept = [each.load_config().training for each in (run, whole)]
    assert kept[0].keys() == kept[1].keys()
    assert kept[0]["verdict"] == kept[1]["verdict"]
    said = [json.loads(each.evaluation_file.read_text(encoding="utf-8")) for each in (run, whole)]
    assert said[0] == said[1]


@pytest.mark.parametrize("way", WAYS)
def test_the_phases_that_are_broken_off_below_are_all_there_are(way: str, unbroken: Unbroken) -> None:
    assert set(unbroken(way)[1]) == set(PHASES[way])
    assert {phase for phases in PHASES.values() for phase in phases} == {
        p for phases in BROKEN.values() for p in phases
    }


@pytest.mark.parametrize(("by", "later"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
@pytest.mark.parametrize(("way", "phase"), [(way, phase) for way, phases in BROKEN.items() for phase in phases])
def test_a_training_that_is_stopped_goes_on_to_the_unbroken_run(
    way: str,
    phase: str,
    by: signal.Signals,
    later: bool,
    words_of: Callable[[str, Path], list[str]],
    unbroken: Unbroken,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, titles = unbroken(way)
    run, mine = Run(tmp_path / "the run"), content(data)
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))  # or some phases would have nothing to do

    def send(title: str, done: int, total: int) -> None:
        if title == phase and (not later or done > 1 or done == total):
            signal.raise_signal(by)

    capsys.readouterr()
    stopped = Heard(send)
    assert told_by(stopped, words_of(way, run.folder)) == 128 + by
    assert set(stopped.titles) <= set(titles)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("corolla: stopped ")
    assert content(data) == mine
    words = shlex.split(line.partition("resume with: ")[2])
    assert words[0] == "corolla"
    gone_on = Heard()
    assert told_by(gone_on, words[1:]) == 0
    assert_same(run, whole)
    if way == "distill" and phase not in TEACHER:
        assert not {"fitting the teacher's head", "teacher, epoch 1/1"} & set(gone_on.titles)  # it was kept


CHILD = """
import sys, time
import corolla.progress
from corolla.cli import main

class Slow(corolla.progress.LineProgress):
    def stage(self, title, done, total, detail=""):
        self.note(f"now {title}")
        time.sleep(1 if title == sys.argv[1] else 0)

corolla.progress.LineProgress = Slow
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be heard")
@pytest.mark.parametrize("phase", ["checking", "calibrating"])
def test_a_process_that_is_told_to_end_says_how_to_go_on(
    phase: str, words_of: Callable[[str, Path], list[str]], unbroken: Unbroken, tmp_path: Path
) -> None:
    whole, _ = unbroken("scratch")
    script, run = tmp_path / "child.py", Run(tmp_path / "run")
    script.write_text(CHILD, encoding="utf-8")
    command = [sys.executable, str(script), phase, *words_of("scratch", run.folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        assert child.stderr
        said = b""
        while f"now {phase}".encode() not in said:
            line = child.stderr.readline()
            assert line, said
            said += line
        child.send_signal(signal.SIGTERM)
        last = child.stderr.read().decode().splitlines()[-1]
    assert child.returncode == 128 + signal.SIGTERM
    assert last.startswith("corolla: stopped and saved; " if phase == "calibrating" else "corolla: stopped before")
    assert main([*shlex.split(last.partition("resume with: corolla ")[2]), "--quiet"]) == 0
    assert_same(run, whole)
