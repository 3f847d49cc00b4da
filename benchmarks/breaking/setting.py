"""What every experiment uses: a small training to break, and the same training uninterrupted for comparison."""

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breaking.process import Commands, Ended, Process
from corolla.run import Run

EPOCHS = 8
TRAINING = (
    *("--model", "vit_pico_patch8_16", "--epochs", str(EPOCHS), "--batch-size", "8"),
    *("--progressive-resizing", "0:0.5,0.5:1", "--workers", "0", "--device", "cpu", "--checkpoint-minutes", "0.001"),
)
# Fields of a row of metrics.jsonl that differ from run to run.
TIMES = {"seconds", "step_seconds", "validation_seconds", "images_per_second"}


@dataclass
class Tally:
    """A row of the table: what was done, how often, and the results."""

    done: str
    tried: int = 0
    survived: int = 0  # no traceback, and the run can be resumed
    whole: int = 0  # and finally weights, history and figures equal those of the uninterrupted run
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)  # descriptions of what should not have happened
    where: Counter[str] = field(default_factory=Counter)  # counts by stage of the training
    started: float = field(default_factory=time.monotonic)

    @property
    def good(self) -> bool:
        """Whether nothing at all was lost."""
        return self.tried == self.survived == self.whole and not self.wrong

    def count(self, orderly: bool, differences: str, said: str = "") -> None:
        """Count a try: whether it ended in order, and how the run differs from the uninterrupted one."""
        self.tried, self.seconds = self.tried + 1, time.monotonic() - self.started
        self.survived += orderly
        self.whole += orderly and not differences
        if not orderly or differences:
            self.wrong.append(f"{differences or 'not in order'}: {said[-1500:]}")

    def told(self) -> str:
        """The counts by stage."""
        return ", ".join(f"{count} {stage}" for stage, count in sorted(self.where.items()))

    def row(self) -> str:
        """As a line of Markdown."""
        return f"| {self.done} | {self.tried:,} | {self.survived:,} | {self.whole:,} | {self.seconds:.0f} |"


class Setting:
    """A folder with images, a cache, the uninterrupted run, and an RNG for the experiments."""

    def __init__(self, folder: Path, commands: Commands, seed: int = 0) -> None:
        self.folder, self.commands, self.count = folder, commands, 0
        self.dice = random.Random(seed)
        self.images = folder / "images"
        painted = commands.run("data", "paint", self.images, "--count", 150, "--size", 48)
        assert painted.status == 0, painted.err
        self.unbroken = folder / "unbroken"
        ended = self.train(self.unbroken).wait()
        assert ended.status == 0, ended.err
        self.seconds = ended.seconds

    def train(
        self,
        run: Path,
        *options: object,
        data: Path | None = None,
        cold: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start the training into `run`."""
        words = ("train", data or self.images, "--out", run, *TRAINING, *options)
        return self.commands.start(*words, cold=cold, environment=environment)

    def resume(self, run: Path, *options: object, environment: Mapping[str, str] | None = None) -> Ended:
        """Resume `run` to its end; starts it if nothing was saved."""
        return self.train(run, "--resume", *options, environment=environment).wait()

    def new(self, name: str) -> Path:
        """A path for another run."""
        self.count += 1
        return self.folder / f"{name} {self.count}"

    def differences(self, run: Path) -> str:
        """Describes how a finished run differs from the uninterrupted one; "" if it does not."""
        try:
            found = [name for name, same in compared(self.unbroken, run).items() if not same]
        except OSError as error:
            return f"{error}"
        return "different " + ", ".join(found) if found else ""

    def copy_of_unbroken(self) -> Path:
        """A copy of the uninterrupted run, to be damaged."""
        return Path(shutil.copytree(self.unbroken, self.new("copy")))


def stage_of(run: Path) -> str:
    """The stage of a training, from its folder."""
    made = Run(run)
    if not made.config_file.is_file():
        return "before the run was created"
    if made.load_config().training.get("finished"):
        return "after the last epoch, while figures and report are written"
    return "between or within epochs" if made.checkpoint.is_file() else "before the first checkpoint"


def compared(one: Path, other: Path) -> dict[str, bool]:
    """Which parts of two finished runs are bit-identical."""
    a, b = Run(one), Run(other)
    names = [sorted(path.name for path in run.folder.iterdir()) for run in (a, b)]
    return {
        "weights": a.weights.read_bytes() == b.weights.read_bytes(),
        "calibration": a.calibration.read_bytes() == b.calibration.read_bytes(),
        "epochs": history(a) == history(b),
        "evaluation": a.evaluation_file.read_bytes() == b.evaluation_file.read_bytes(),
        "images": a.manifest_file.read_bytes() == b.manifest_file.read_bytes(),
        f"files ({', '.join(sorted(set(names[0]) ^ set(names[1])))})": names[0] == names[1],
    }


def history(run: Run) -> list[dict[str, Any]]:
    """The epochs of a run without their times."""
    rows = [json.loads(line) for line in run.metrics_file.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
