"""examples/slurm.sh with stand-ins for SLURM's own commands: a job that is stopped once and finishes the next time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corolla.painted import paint_dataset
from several_processes import free_port, output_of

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "slurm.sh"
SRUN = '#!/bin/bash\nshift\nexec "$@"\n'  # without its own option, on the one machine there is
SCONTROL = '#!/bin/bash\nif [ "$1" = show ]; then echo 127.0.0.1; else echo "$@" >> "$ASKED"; fi\n'
TINY = ["--model", "vit_pico_patch8_16", "--batch-size", "8", "--device", "cpu", "--epochs", "40"]

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="SLURM's scripts are for bash")


def test_a_job_that_is_stopped_is_queued_again_and_finishes(tmp_path: Path) -> None:
    data, out, asked, bin_ = (tmp_path / name for name in ("painted", "run", "asked", "bin"))
    paint_dataset(data, 60, size=32, seed=0)
    bin_.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "one", "SLURM_NNODES": "1", "SLURM_GPUS_ON_NODE": "2", "SLURM_CPUS_PER_TASK": "2"}
    here = {"ASKED": str(asked), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "SLURM_JOB_ID": "7"}
    path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]])

    def submit() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", SCRIPT, data, out, *TINY],
            env=os.environ | job | here | {"PATH": path, "MASTER_PORT": str(free_port())},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    with submit() as process:
        begun = time.monotonic()
        while not (out / "metrics.jsonl").is_file() or (out / "metrics.jsonl").read_text().count("\n") < 2:
            assert time.monotonic() - begun < 200
            assert process.poll() is None, process.communicate()[0].decode()
            time.sleep(0.05)
        trainers = [line for line in children(process.pid) if "torchrun" in line[1]]
        os.kill(trainers[0][0], signal.SIGTERM)  # as SLURM does to what srun has started
        said = output_of(process, 300)
    assert process.returncode != 0
    assert "stopped and saved" in said, said
    assert asked.read_text() == "requeue 7\n"
    with submit() as process:
        said = output_of(process, 200)
    assert process.returncode == 0, said
    assert asked.read_text() == "requeue 7\n"  # and not again
    rows = [json.loads(line)["epoch"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows == list(range(1, 41))
    assert json.loads((out / "config.json").read_text())["training"]["finished"]


def children(pid: int) -> list[tuple[int, str]]:
    """The processes that `pid` has started, with their commands."""
    import psutil

    return [(child.pid, " ".join(child.cmdline())) for child in psutil.Process(pid).children()]
