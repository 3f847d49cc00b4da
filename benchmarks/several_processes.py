"""The same training by one process and by several: differences of losses, weights and predictions.

    python benchmarks/several_processes.py            # painted images, a few minutes on two cores

All ways train the same recipe in float32 with the same total batch: one process; two processes started by torchrun
(gloo); two that also shard the model (FSDP); and two on two "machines", which are two loopback addresses. The sizes of
the batch, validation and test are odd, which gives each process a different amount.
"""

import argparse
import json
import os
import platform
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FIRST = 20  # steps with a column of their own
COUNT, EPOCHS = 225, 6  # number of painted images, and epochs of the table's trainings
RECIPE: dict[str, Any] = {
    "model": "vit_pico_conv8_32", "batch_size": 21, "epochs": 4, "workers": 1, "device": "cpu", "seed": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How a training is distributed."""

    name: str
    processes: int = 1
    nodes: int = 1
    fsdp: bool = False


WAYS = (
    Way("one process"),
    Way("two processes", 2),
    Way("two processes, FSDP", 2, fsdp=True),
    Way("two addresses, a process each", 1, nodes=2),
)


@dataclass(frozen=True)
class Result:
    """The result of a training."""

    losses: list[float]  # of every step, over the total batch
    weights: dict[str, Any]
    accuracy: float  # on the test split
    n: int  # predicted test images
    seconds: float


def run(way: Way, data: Path, out: Path, **changes: Any) -> Result:
    """Train on `data` the given way into the new folder `out`; raises its output if it fails."""
    started = time.monotonic()
    running = [start(command) for command in commands_of(way, data, out, **changes)]
    said = [output_of(process, 600) for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("\n".join(said))
    return read(out, time.monotonic() - started)


def commands_of(way: Way, data: Path, out: Path, **changes: Any) -> list[list[str]]:
    """The commands to start at the same time, one for each machine."""
    asked = json.dumps(RECIPE | {"fsdp": way.fsdp} | changes)
    worker = [str(Path(__file__).resolve()), "--worker", str(data), str(out), asked]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(way.processes)]
    if way.nodes > 1:
        meeting = ["--nnodes", str(way.nodes), "--master-addr", "127.0.0.1", "--master-port", str(free_port())]
        return [
            [*launcher, *meeting, "--node-rank", str(node), "--local-addr", f"127.0.0.{node + 1}", *worker]
            for node in range(way.nodes)
        ]
    if way.processes > 1:
        return [[*launcher, "--standalone", "--local-addr", "127.0.0.1", *worker]]
    return [[sys.executable, *worker]]


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in its own process group, like a terminal."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def output_of(process: subprocess.Popen[bytes], seconds: float) -> str:
    """The output of a process until its end; after `seconds`, it and all its children are killed.

    torchrun starts each of its processes in its own session; they would survive the launcher.
    """
    try:
        return process.communicate(timeout=seconds)[0].decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        import psutil

        for each in (*psutil.Process(process.pid).children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        said = process.communicate()[0].decode(errors="replace")
        raise RuntimeError(f"still running after {seconds:.0f} s; its output:\n{said}") from error


def read(out: Path, seconds: float) -> Result:
    """Read a run folder, and the losses that the worker wrote beside it."""
    from safetensors.torch import load_file

    evaluation = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    losses = json.loads(out.with_suffix(".losses.json").read_text(encoding="utf-8"))
    weights = load_file(out / "model.safetensors")
    return Result(losses, weights, evaluation["accuracy"], evaluation["n"], seconds)


def worker(data: str, out: str, asked: str) -> None:
    """One process of a training: float32; the main process writes the loss of every step."""
    import corolla
    from corolla.precision import Precision
    from corolla.training import runtime as machine
    from corolla.training.trainer import Trainer

    machine.choose_precision = lambda device: Precision("no", "two trainings are compared")
    losses: list[float] = []
    step = Trainer.step

    def noted(self: Trainer, *given: Any, **named: Any) -> float:
        losses.append(step(self, *given, **named))
        return losses[-1]

    Trainer.step = noted  # type: ignore[method-assign]
    corolla.train(data, out, **json.loads(asked))
    if int(os.environ.get("RANK", "0")) == 0:
        Path(out).with_suffix(".losses.json").write_text(json.dumps(losses), encoding="utf-8")


def free_port() -> int:
    """A free port below the ephemeral ports, which the system could assign to others before it is used."""
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def apart(one: Result, other: Result, first: int | None = None) -> float:
    """The largest difference between the losses of two trainings, over their `first` steps or all."""
    assert len(one.losses) == len(other.losses)
    return max(abs(a - b) for a, b in zip(one.losses[:first], other.losses[:first], strict=True))


def weights_apart(one: Result, other: Result) -> float:
    """The largest difference between the weights of two trainings."""
    assert one.weights.keys() == other.weights.keys()
    return max(float((one.weights[name].float() - other.weights[name].float()).abs().max()) for name in one.weights)


def main() -> None:
    """Train every way and print a table."""
    from corolla.painted import paint_dataset
    from corolla.training.runtime import processor

    with TemporaryDirectory(prefix="corolla-") as scratch:
        data = Path(scratch) / "painted"
        paint_dataset(data, COUNT, size=64, seed=0)
        alone: Result | None = None
        told_by = f"{processor()}, {os.cpu_count()} cores, one thread per process"
        print(f"\n{told_by}, float32, Python {platform.python_version()}\n")
        print(f"| | steps | first {FIRST} losses differ by | all losses by | weights by | test accuracy | seconds |")
        print("|---|---|---|---|---|---|---|")
        for place, way in enumerate(WAYS):
            result = run(way, data, Path(scratch) / f"run{place}", epochs=EPOCHS)
            alone = alone or result
            told = [
                f"{apart(alone, result, FIRST):.1e}",
                f"{apart(alone, result):.1e}",
                f"{weights_apart(alone, result):.1e}",
            ]
            if result is alone:
                told = ["", "", ""]
            tested = f"{result.accuracy:.1%} of {result.n}"
            print(
                f"| {way.name} | {len(result.losses)} | {' | '.join(told)} | {tested} | {result.seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worker", nargs=3, metavar=("DATA", "OUT", "JSON"), help="one process of a training")
    given = parser.parse_args()
    if given.worker:
        worker(*given.worker)
    else:
        main()
