"""What answers in a job: told apart by all that its answers depend on, and sharing the processor."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from corolla.batch_inference.model import MOST, Model, threads_for
from corolla.data.decoding import ImageError
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.pretrained import run_folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run that comes with corolla."""
    return Path(shutil.copytree(run_folder("flowers"), tmp_path / "flowers"))


@pytest.mark.parametrize(
    ("file", "same"),
    [("README.md", True), ("model.safetensors", False), ("calibration.safetensors", False), ("preprocessing", False)],
)
def test_a_digest_is_of_what_answers_depend_on(file: str, same: bool, run: Path) -> None:
    before = Model(run).digest()
    assert before == Model(Path("flowers")).digest()
    if file == "preprocessing":
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        config["preprocessing"]["crop_fraction"] = 0.9
        (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    else:
        with (run / file).open("ab") as target:
            target.write(b" ")
    assert (Model(run).digest() == before) is same


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with Model(Path("flowers")).on_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (MOST, 1), (4 * MOST, 4), (100, 12)])
def test_threads_of_a_predictor(processors: int, threads: int) -> None:
    assert threads_for(processors) == threads


def test_a_file_needs_no_torch(model: Path, images: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'sklearn', 'threadpoolctl', 'ray'): sys.modules[name] = None\n"
        "from corolla.batch_inference.run import predict\n"
        f"print(predict({str(model)!r}, [{str(images)!r}], {str(tmp_path / 'rows.parquet')!r}).rows)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "150\n"), done.stderr


def test_an_image_may_be_fetched_when_its_turn_comes(model: Path, images: Path, png: Callable) -> None:
    predictor = OnnxPredictor.load(model)
    file = images / "0" / "000 é.png"

    def gone() -> bytes:
        raise ImageError("it is gone")

    assert np.array_equal(predictor.pixels(lambda: png(0)), predictor.pixels(file))
    [(_, first), (_, second)] = predictor.iter_outputs([gone, lambda: png(0)])
    assert isinstance(first, ImageError)
    assert first.reason == "it is gone"
    assert not isinstance(second, ImageError)
    with pytest.raises(ImageError, match="it is gone"):
        predictor.pixels(gone)
