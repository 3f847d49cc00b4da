"""`corolla export`, and `predict` and `evaluate` of what it wrote."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import corolla as api
from timing import cpu_seconds


@pytest.fixture(scope="module")
def file(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from corolla.cli import main

    path = tmp_path_factory.mktemp("exported") / "a file.onnx"
    assert main(["export", str(trained), "--out", str(path), "--quiet"]) == 0
    return path


def test_it_tells_how_the_file_compares(corolla: Callable, trained: Path, tmp_path: Path) -> None:
    said = corolla("export", trained, "--out", tmp_path / "one.onnx", "--precision", "fp16", "--quiet")
    assert said.status == 0
    assert "fp16" in said.out.splitlines()[0]
    assert "same prediction      100.0%" in said.out
    told = json.loads(corolla("export", trained, "--out", tmp_path / "two.onnx", "--json", "--quiet").out)
    assert told["agreement"] == 1.0
    assert set(told["speed"]) == {"one", "batch"}


def test_the_file_answers_as_the_run_does(corolla: Callable, trained: Path, file: Path, images: Path) -> None:
    words = (images, "--json", "--quiet", "--device", "cpu")
    run, exported = (json.loads(corolla("predict", what, *words).out) for what in (trained, file))
    assert [one["path"] for one in run] == [one["path"] for one in exported]
    for one, other in zip(run, exported, strict=True):
        shares = ({entry["label"]: entry["probability"] for entry in answer["top"]} for answer in (one, other))
        assert next(shares) == pytest.approx(next(shares), abs=0.02)  # the run may compute in bfloat16
    openvino = json.loads(corolla("predict", file, images, "--json", "--quiet", "--backend", "openvino").out)
    for one, other in zip(exported, openvino, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_it_is_evaluated_on_data(corolla: Callable, file: Path, images: Path) -> None:
    found = json.loads(corolla("evaluate", file, images, "--json", "--quiet").out)
    labels = sorted(images.glob("*/*.png"))
    model = api.load(file)
    right = sum(model.predict(path).label == path.parent.name for path in labels)
    assert (found["n"], found["accuracy"]) == (len(labels), right / len(labels))
    assert "no images" in corolla("evaluate", file).line
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


def test_its_rollout_is_drawn(corolla: Callable, file: Path, images: Path, tmp_path: Path) -> None:
    assert corolla("predict", file, images / "red", "--explain", tmp_path / "why", "--quiet").status == 0
    assert len(list((tmp_path / "why").glob("*-rollout.png"))) == 12


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_torch_is_not_needed(file: Path, images: Path, command: str) -> None:
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(name, *rest):\n"
        "        assert name != 'torch'\n"
        "sys.meta_path.insert(0, NoTorch)\n"
        "from corolla.cli import main\n"
        f"sys.exit(main([{command!r}, {str(file)!r}, {str(images)!r}, '--quiet']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_answers_before_torch_would_be_loaded(file: Path, images: Path) -> None:
    predict = ["-m", "corolla", "predict", str(file), str(next((images / "red").iterdir()))]
    answered, loaded = cpu_seconds([predict, ["-c", "import torch"]], times=2)
    assert 2 * answered < loaded


def test_what_does_not_fit_is_told_in_one_line(corolla: Callable, trained: Path, file: Path, tmp_path: Path) -> None:
    assert "is there already" in corolla("export", trained, "--out", file).line
    assert "should end in .onnx" in corolla("export", trained, "--out", tmp_path / "model.bin").line
    assert "is an exported file" in corolla("export", file, "--out", tmp_path / "again.onnx").line
    assert "is for exported files" in corolla("predict", trained, "x.png", "--backend", "openvino").line
    assert "computed on the CPU" in corolla("predict", file, "x.png", "--device", "cuda").line
    assert "no such file" in corolla("predict", tmp_path / "none.onnx", "x.png").line
    for command in ("explain", "calibrate", "summary"):
        words = [tmp_path / "x.png", "--out", tmp_path / "out"] if command == "explain" else []
        assert corolla(command, file, *words).status == 2
