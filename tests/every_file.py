"""Writes a file of every kind that corolla writes: `python every_file.py IMAGES`, in an empty working folder.

What is written depends on nothing but the images: clocks whose times are kept in files tell what they are told to.
"""

import importlib
import itertools
import pkgutil
import shutil
import signal
import sys
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import corolla
from corolla.cli import main
from corolla.progress import Progress

TINY = {"model": "vit_pico_patch8_16", "batch_size": 16, "workers": 0, "device": "cpu", "epochs": 2}
TIMED = ("corolla.training", "corolla.export")  # modules that measure time and save it


class Halt(Progress):
    """Ctrl-C in the last epoch, after which the checkpoint and the teacher stay."""

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        if title == "epoch 2/2":
            signal.raise_signal(signal.SIGINT)


def set_clocks(day: int, tick: float) -> None:
    """Give each module that measures time a date, and a clock that advances by `tick` seconds at every call.

    Clocks of others, by which threads wait for each other, are left alone.
    """

    class Day(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2001, 2, day, tzinfo=timezone.utc)

    for package in TIMED:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            module: Any = importlib.import_module(found.name)
            if hasattr(module, "time"):
                looks = itertools.count(1)
                look = lambda looks=looks: next(looks) * tick  # noqa: E731
                module.time = SimpleNamespace(monotonic=look, perf_counter=look)
            if hasattr(module, "datetime"):
                module.datetime = Day


def command(*words: str) -> None:
    assert main(list(words)) == 0, words


def write_runs(images: str, folder: str) -> None:
    """A finished run, and one that was halted while it had a teacher."""
    corolla.train(images, f"{folder}/run", **TINY)
    try:
        corolla.train(images, f"{folder}/halted", teacher=f"{folder}/run", progress=Halt(), **TINY)
        raise AssertionError("the training was not halted")
    except KeyboardInterrupt:
        pass


def write_everything(images: str) -> None:
    set_clocks(day=3, tick=1 / 128)
    write_runs(images, "runs")
    run, tuned = "runs/run", "runs/tuned"
    corolla.train(images, tuned, recipe="probe", weights=run, batch_size=16, workers=0, device="cpu")
    one = f"{images}/red"
    command("predict", run, one, "--csv", "answers.csv", "--plot", "answers.png", "--top", "2", "--quiet")
    command("predict", run, one, "--out", "answers.parquet", "--coverage", "0.9", "--quiet")
    command("explain", run, f"{one}/00 é.png", "--out", "why", "--method", "all", "--arrays", "--quiet")
    command("compare", run, tuned, "--data", images, "--out", "compared.html", "--quiet")
    command("audit", images, "--weights", run, "--out", "audit", "--fix", "decided.csv", "--quiet")
    command("data", "paint", "painted", "--count", "5", "--size", "48", "--quiet")
    command("data", "shard", images, "shards", "--images", "40", "--quiet")
    shutil.copytree("shards", "tars", ignore=shutil.ignore_patterns("*.json"))
    corolla.load_data("tars")  # an index and unpacked images are kept in the cache
    for dialect in ("timm", "huggingface", "torchvision", "google", "corolla"):
        command("weights", "convert", run, f"weights/{dialect}", "--to", dialect)
    for precision in ("fp16", "int8"):
        command("export", run, "--precision", precision, "--out", f"{precision}.onnx", "--quiet")
    set_clocks(day=4, tick=7.0)
    write_runs(images, "later")


if __name__ == "__main__":
    write_everything(sys.argv[1])
