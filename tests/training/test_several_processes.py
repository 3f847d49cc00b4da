"""A training by several processes is the training of one: losses, answers, files."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import several_processes
from corolla.painted import paint_dataset
from launching import together
from several_processes import FIRST, WAYS, Result, Way, apart, commands_of, output_of, run, start, weights_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun is not for Windows")


def test_a_shared_batch_has_the_loss_and_the_gradients_of_the_whole() -> None:
    """With batch norms, dropped branches, class weights, mixed targets and a teacher; in three uneven parts."""
    said = together(Path(__file__).parent / "shared_objective.py", 3)
    assert all(f"process {rank} is content" in said for rank in range(3))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "painted"
    paint_dataset(folder, several_processes.COUNT, size=48, seed=0)
    return folder


LONG = {"epochs": 7}  # for Ctrl-C to come in time


@pytest.fixture(scope="module")
def alone(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("alone") / "run"
    return run(WAYS[0], images, out, **LONG), out


def test_two_processes_evaluate_as_one_and_one_of_them_tells(
    alone: tuple[Result, Path], images: Path, tmp_path: Path
) -> None:
    expected, folder = alone
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    asked = ["--nproc-per-node", "2", "-m", "corolla", "evaluate", str(folder), "--device", "cpu", "--json"]
    with start([*launcher, *asked]) as process:
        said = output_of(process, 200)
    assert process.returncode == 0, said
    figures = json.JSONDecoder().raw_decode(said[said.index("{") :])[0]
    assert said.count('"macro_f1"') == said.count("report: ") == 1  # one tells, and one writes
    assert (figures["n"], figures["accuracy"]) == (expected.n, expected.accuracy)


@pytest.mark.parametrize("way", WAYS[1:2], ids=lambda way: way.name)
def test_two_processes_stopped_by_ctrl_c_are_gone_on_with_by_one(
    way: Way, alone: tuple[Result, Path], images: Path, tmp_path: Path
) -> None:
    """What they keep is one run folder, which knows nothing of how many wrote it."""
    unbroken, out = alone[0], tmp_path / "broken"
    [command] = commands_of(way, images, out, **LONG)
    with start(command) as process:
        until(lambda: (out / "metrics.jsonl").is_file() and (out / "metrics.jsonl").read_text().count("\n") >= 2)
        os.killpg(process.pid, signal.SIGINT)
        said = output_of(process, 300)
    assert process.returncode != 0
    assert (out / "checkpoint.safetensors").is_file(), said
    result = run(WAYS[0], images, out, resume=True, **LONG)
    assert len(result.losses) < len(unbroken.losses)
    assert result.losses == pytest.approx(unbroken.losses[-len(result.losses) :], abs=1e-4)
    assert result.accuracy == unbroken.accuracy


def until(there: Callable[[], bool], seconds: float = 200.0) -> None:
    begun = time.monotonic()
    while not there():
        assert time.monotonic() - begun < seconds
        time.sleep(0.05)


# benchmarks/several_processes.py trains the other ways to the end: DDP, which the test above stops half-way, and two
# machines, which torchrun sees to and nothing of ours.
@pytest.mark.parametrize("way", WAYS[2:3], ids=lambda way: way.name)
def test_several_processes_train_as_one(way: Way, alone: tuple[Result, Path], images: Path, tmp_path: Path) -> None:
    expected, folder = alone
    result = run(way, images, tmp_path / "run", **LONG)
    assert len(result.losses) >= FIRST
    assert max(result.losses) - min(result.losses) > 1e-2  # it moves at all
    assert apart(expected, result, FIRST) < 1e-4
    assert weights_apart(expected, result) < 5e-3
    assert (result.n, result.accuracy) == (expected.n, expected.accuracy)
    assert expected.n % 2 == 1  # one process has more to answer than the other
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(path.name for path in folder.iterdir())
    rows = [(tmp_path / "run" / "metrics.jsonl").read_text(), (folder / "metrics.jsonl").read_text()]
    ours, theirs = ([json.loads(line) for line in text.splitlines()] for text in rows)
    assert [row["epoch"] for row in ours] == [row["epoch"] for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one["val_accuracy"] == other["val_accuracy"]
        assert one["val_loss"] == pytest.approx(other["val_loss"], abs=1e-4)
