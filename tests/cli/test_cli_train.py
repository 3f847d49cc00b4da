"""`corolla train`: the options are the API's words, the run folder is whole, and Ctrl-C says how to go on."""

import inspect
import json
import shlex
import signal
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corolla as api
from corolla.cli.train import command, parse_sizes, what_is_kept
from corolla.errors import CorollaError
from corolla.training.recipe import Recipe

TINY = ["--model", "vit_pico_patch8_16", "--batch-size", "12", "--workers", "0", "--device", "cpu"]


def test_every_field_of_a_recipe_and_every_keyword_of_the_api_is_an_option() -> None:
    options = set(inspect.signature(command).parameters)
    assert {field.name for field in fields(Recipe)} - {"name"} <= options
    assert set(inspect.signature(api.train).parameters) - {"overrides", "progress", "started"} <= options


def test_a_run_folder_is_whole(trained: Path, images: Path) -> None:
    files = {path.name for path in trained.iterdir()}
    assert files >= {
        "model.safetensors", "config.json", "manifest.csv", "metrics.jsonl", "curves.png", "report.html", "README.md",
    }  # fmt: skip
    config = json.loads((trained / "config.json").read_text(encoding="utf-8"))
    assert config["classes"] == ["deep blue", "grün", "red"]
    assert config["recipe"]["batch_size"] == 12
    assert config["recipe"]["epochs"] == 2
    assert config["data"]["source"] == str(images)
    assert len((trained / "metrics.jsonl").read_text().splitlines()) == 2


def test_what_is_given_by_hand_reaches_the_recipe(corolla: Callable, images: Path, tmp_path: Path) -> None:
    given = {
        "optimizer": "adamw", "learning_rate": 0.002, "weight_decay": 0.1, "warmup": 0.2, "grad_accum_steps": 2,
        "clip_grad_norm": 2.0, "ema_decay": 0.9, "patience": 3, "label_smoothing": 0.0, "drop_path": 0.0,
        "class_weights": "balanced", "random_resized_crop_scale": 0.8, "auto_augment": "trivial",
        "random_erasing_prob": 0.0, "mixup_cutmix_prob": 0.0,
        "image_size": 24, "seed": 5,
    }  # fmt: skip
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--progressive-resizing", "0:0.67,0.5:1", "--no-hflip-tta", "--tensorboard", "--strict"]
    said = corolla("train", images, "--out", tmp_path / "run", "--epochs", 2, *TINY, *words)
    assert said.status == 0, said.err
    assert said.out == ""
    assert "36 images of 3 classes" in said.err
    assert "epoch 2/2" in said.err
    assert "test accuracy" in said.err
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["seed"] == given.pop("seed")
    assert {name: config["recipe"][name] for name in given} == given
    assert config["recipe"]["progressive_resizing"] == [[0.0, 0.67], [0.5, 1.0]]
    assert config["recipe"]["hflip_tta"] is False
    assert list((tmp_path / "run" / "tensorboard").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minutes", "1", "--epochs", "1"], "not both"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--minutes", "inf"], "--minutes is inf"),
        (["--progressive-resizing", "0.5:1"], "--progressive-resizing"),
        (["--model", "vit_tiny_patch16"], "vit_tiny_patch16_224"),
        (["--image-size", "30"], "30"),
        (["--recipe", "scrach"], "scratch"),
        (["--device", "banana"], "banana"),
        (["--device", "meta"], "meta"),
        (["--mixup-cutmix-prob", "1.5"], "mixup_cutmix_prob"),
        (["--minutes", "0.01"], "too short"),
    ],
    ids=" ".join,
)
def test_a_value_that_cannot_be_used(
    words: list[str], said: str, corolla: Callable, images: Path, tmp_path: Path
) -> None:
    limit = [] if "--minutes" in words else ["--epochs", 1]
    ended = corolla("train", images, "--out", tmp_path / "run", "--quiet", *limit, *TINY, *words)
    assert said in ended.line
    assert not (tmp_path / "run").exists()


def test_data_that_cannot_be_used(corolla: Callable, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "only").mkdir(parents=True)
    for source, said in (("nowhere", "there is no"), ("empty", "no class folders"), ("one", "only")):
        assert said in corolla("train", tmp_path / source, "--out", tmp_path / "run", "--quiet").line


def test_strict_names_the_first_unusable_image(corolla: Callable, images: Path, tmp_path: Path) -> None:
    import shutil

    data = shutil.copytree(images, tmp_path / "data")
    (data / "red" / "half.png").write_bytes((images / "red" / "00 é.png").read_bytes()[:200])
    words = ["train", data, "--out", tmp_path / "run", "--epochs", 1, *TINY]
    assert "half.png" in corolla(*words, "--quiet", "--strict").line
    said = corolla(*words)
    assert said.status == 0
    assert "half.png: truncated" in said.err


def test_nothing_is_written_over(corolla: Callable, images: Path, tmp_path: Path, run_copy: Path) -> None:
    weights = (run_copy / "model.safetensors").read_bytes()
    assert "--resume" in corolla("train", images, "--out", run_copy, "--quiet").line
    assert (run_copy / "model.safetensors").read_bytes() == weights
    (tmp_path / "file").write_text("mine")
    assert "is a file" in corolla("train", images, "--out", tmp_path / "file", "--quiet").line


def test_resume_refuses_another_recipe(corolla: Callable, images: Path, run_copy: Path) -> None:
    line = corolla("train", images, "--out", run_copy, "--resume", "--learning-rate", "0.1", "--quiet").line
    assert "learning_rate" in line


def test_ctrl_c_says_how_to_go_on_and_that_works(
    images: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]], corolla: Callable
) -> None:
    run = tmp_path / "the run"
    # So many that a busy machine does not finish them between the second one and the signal.
    with start("train", images, "--out", run, "--epochs", 60, "--seed", 3, *TINY) as process:
        said = b""
        while b"epoch 2/60" not in said:
            line = process.stderr.readline()  # type: ignore[union-attr]
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()  # type: ignore[union-attr]
    assert process.returncode == 130
    last = rest.splitlines()[-1]
    assert last.startswith("corolla: stopped")
    assert "Traceback" not in rest
    words = shlex.split(last.partition("resume with: ")[2])
    assert words[:2] == ["corolla", "train"]
    ended = corolla(*words[1:])
    assert ended.status == 0, ended.err
    assert "epoch 1/60" not in ended.err
    assert "epoch 60/60" in ended.err
    epochs = [json.loads(row)["epoch"] for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, 61))


def test_what_is_kept_of_a_stopped_training_is_told_as_it_is(run_copy: Path, tmp_path: Path) -> None:
    assert what_is_kept(tmp_path / "none").startswith("stopped before the training started; what it has read")
    assert what_is_kept(run_copy, at_once=True) == "stopped and saved"  # it is finished but for its report
    config = json.loads((run_copy / "config.json").read_text(encoding="utf-8"))
    del config["training"]["finished"]
    (run_copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert what_is_kept(run_copy) == "stopped before its first checkpoint; data and recipe are saved"
    (run_copy / "checkpoint.safetensors").touch()
    assert what_is_kept(run_copy) == "stopped and saved"
    assert what_is_kept(run_copy, at_once=True) == "stopped at once; its last checkpoint is saved"


def test_progressive_resizing_reads_pairs() -> None:
    assert parse_sizes("0:0.5,0.3:0.75,0.65:1") == ((0.0, 0.5), (0.3, 0.75), (0.65, 1.0))
    assert parse_sizes("0:1") == ((0.0, 1.0),)


@pytest.mark.parametrize(
    "text", ["", "1", "0", "0:", "0.1:1", "0:0", "0:2", "0:1,0:1", "0:1,1:1", "0:nan", "0:.5,nan:1", "0:1:2"]
)
def test_progressive_resizing_refuses_what_makes_no_sense(text: str) -> None:
    with pytest.raises(CorollaError, match="--progressive-resizing"):
        parse_sizes(text)


@given(st.text(alphabet="0123456789.,:-einfa ", max_size=20))
def test_progressive_resizing_is_read_or_refused_and_never_raises_otherwise(text: str) -> None:
    try:
        parts = parse_sizes(text)
    except CorollaError:
        return
    starts = [start for start, _ in parts]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(0 <= start < 1 and 0 < share <= 1 for start, share in parts)
