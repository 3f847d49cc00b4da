"""The file that keeps a calibration: whole again when read, and refused in one line when it is not ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from corolla.errors import CorollaError
from corolla.trust.calibration import Calibration
from corolla.trust.conformal import Conformal
from corolla.trust.novelty import KINDS, Gaussians, Novelty

CLASSES, WIDTH = 3, 5


def made(kind: Any = "distance") -> Calibration:
    dice = np.random.default_rng(0)
    features = dice.normal(size=(60, WIDTH)).astype(np.float32)
    probabilities = dice.dirichlet(np.ones(CLASSES), 60).astype(np.float32)
    labels = np.arange(60) % CLASSES
    gaussians = Gaussians.fit(features, labels, CLASSES)
    novelty = Novelty.fit(kind, features, np.log(probabilities), gaussians)
    return Calibration(0.8, Conformal.fit(probabilities, labels), novelty, {"val": 60})


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_read(kind: str, tmp_path: Path) -> None:
    calibration, file = made(kind), tmp_path / "new" / "calibration.safetensors"
    calibration.save(file)
    again = Calibration.load(file, CLASSES, WIDTH)
    assert again is not None
    assert (again.temperature, again.facts, again.novelty.kind) == (0.8, {"val": 60}, kind)
    assert again.conformal.largest(0.9) == calibration.conformal.largest(0.9)
    features, logits = np.ones((4, WIDTH), np.float32), np.ones((4, CLASSES), np.float32)
    np.testing.assert_array_equal(again.novelty.score(features, logits), calibration.novelty.score(features, logits))


def test_a_run_without_one_is_not_calibrated(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path / "calibration.safetensors", CLASSES, WIDTH) is None


def test_another_models_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    made().save(file)
    with pytest.raises(CorollaError, match=r"its means are of shape \(3, 5\), and this model needs \(4, 5\)"):
        Calibration.load(file, 4, WIDTH)
    with pytest.raises(CorollaError, match="corolla calibrate"):
        Calibration.load(file, CLASSES, 7)


@pytest.mark.parametrize("change", [
    {"temperature": 1e9}, {"temperature": "warm"}, {"temperature": None}, {"n": 7}, {"format": 2}, {"novelty": 3},
    {"novelty": {"kind": "other", "median": 0, "border": 1}}, {"novelty": {"kind": "energy", "median": 1, "border": 1}},
    {"novelty": {"kind": "energy", "median": float("nan"), "border": 1}}, {"facts": 3},
])  # fmt: skip
def test_numbers_that_cannot_be_are_refused_in_one_line(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    said, arrays = taken_apart(file)
    save_file(arrays, file, metadata={"calibration": json.dumps(said | change)})
    with pytest.raises(CorollaError) as caught:
        Calibration.load(file, CLASSES, WIDTH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [
    {"scores": np.array([0.5], np.float32)}, {"scores": np.full(60, np.nan, np.float32)},
    {"scores": np.zeros((60, 1), np.float32)}, {"ranks": np.arange(60)[::-1].copy()},
    {"whitening": np.full((WIDTH, WIDTH), np.nan, np.float32)}, {"means": np.zeros((CLASSES, WIDTH))},
])  # fmt: skip
def test_arrays_that_cannot_be_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    said, arrays = taken_apart(file)
    save_file(arrays | change, file, metadata={"calibration": json.dumps(said)})
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, CLASSES, WIDTH)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 64])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    file.write_bytes(content)
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, CLASSES, WIDTH)
    made().save(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, CLASSES, WIDTH)


def taken_apart(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import safe_open

    made().save(file)
    with safe_open(file, framework="numpy") as content:
        return json.loads(content.metadata()["calibration"]), load_file(file)
