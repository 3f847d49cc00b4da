"""A runner for the real `main`, and one tiny trained run for all tests of the commands."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from corolla.cli import main

COLORS = {"deep blue": (40, 60, 200), "grün": (40, 180, 60), "red": (200, 40, 40)}
TINY = ["--model", "vit_pico_patch8_16", "--batch-size", "12", "--workers", "0", "--device", "cpu"]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The single line of an error on standard error."""
        assert self.status == 2
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("corolla: ")
        return lines[0]


Runner = Callable[..., Outcome]


@pytest.fixture
def corolla(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs `corolla` with the given words in this process."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


def start(*words: object, **options: object) -> subprocess.Popen[bytes]:
    """A real process that runs `corolla`."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    if os.name == "posix":  # tests that a script runs in the background begin with Ctrl-C ignored, and pass that on
        settings.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "corolla", *(str(word) for word in words)]
    return subprocess.Popen(command, env=environment, **settings)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(name="start")
def start_fixture() -> Callable[..., subprocess.Popen[bytes]]:
    return start


def draw_images(root: Path, each: int, seed: int = 0) -> Path:
    """A folder for each of three classes, with blots of its color on any background."""
    dice = random.Random(seed)
    for name, color in COLORS.items():
        (root / name).mkdir(parents=True)
        for number in range(each):
            image = Image.new("RGB", (24, 24 + number % 3), tuple(dice.randrange(256) for _ in range(3)))
            pen = ImageDraw.Draw(image)
            for _ in range(6):
                x, y = dice.randrange(24), dice.randrange(24)
                shade = tuple(max(0, min(255, part + dice.randrange(-30, 30))) for part in color)
                pen.ellipse([x - 6, y - 6, x + 6, y + 6], fill=shade)
            image.save(root / name / f"{number:02d} é.png")
    return root


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 images of three classes; do not write into it."""
    return draw_images(tmp_path_factory.mktemp("data") / "my images", 12)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 images of the same classes, enough to calibrate with; do not write into it."""
    return draw_images(tmp_path_factory.mktemp("many") / "images", 50, seed=5)


@pytest.fixture(scope="session")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on `images` by the command; do not write into it."""
    run = tmp_path_factory.mktemp("runs") / "run one"
    assert main(["train", str(images), "--out", str(run), "--epochs", "2", "--quiet", *TINY]) == 0
    return run


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that may be changed."""
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "a run"))
