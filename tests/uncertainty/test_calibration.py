"""The file that keeps a calibration: whole again when read, and refused in one line when it is not ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from corolla.errors import CorollaError
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.ood import KINDS, Kind, OODDetector, Outputs, Score, mixtures

CLASSES, WIDTH, TOKEN = 3, 5, 4
SIZES = (CLASSES, WIDTH, TOKEN)


def seen(n: int, seed: int) -> Outputs:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(CLASSES), n).astype(np.float32)
    features, texture = (rng.normal(size=(n, width)).astype(np.float32) for width in (WIDTH, TOKEN))
    return Outputs(probabilities, np.log(probabilities), features, texture)


def made(kinds: tuple[Kind, ...] = KINDS) -> Calibration:
    known, labels = seen(60, 0), np.arange(60) % CLASSES
    scores = [Score.fit(kind, seen(90, 1), np.arange(90) % CLASSES, known) for kind in kinds]
    conformal = Conformal.fit(known.probabilities, labels)
    return Calibration(0.8, conformal, OODDetector.fit(scores, known), {"val": 60})


@pytest.mark.parametrize("kinds", mixtures(KINDS))
def test_what_was_saved_is_read(kinds: tuple[Kind, ...], tmp_path: Path) -> None:
    calibration, file = made(kinds), tmp_path / "new" / "calibration.safetensors"
    calibration.save(file)
    again = Calibration.load(file, SIZES)
    assert again is not None
    assert (again.temperature, again.facts, again.ood_detector.name) == (0.8, {"val": 60}, " and ".join(kinds))
    assert again.conformal.largest(0.9) == calibration.conformal.largest(0.9)
    np.testing.assert_array_equal(again.ood_detector.score(seen(9, 2)), calibration.ood_detector.score(seen(9, 2)))


def test_a_run_without_one_is_not_calibrated(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path / "calibration.safetensors", SIZES) is None


def test_another_models_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    made().save(file)
    with pytest.raises(CorollaError, match=r"its distance.means have shape \(3, 5\), and this model needs \(4, 5\)"):
        Calibration.load(file, (4, WIDTH, TOKEN))
    with pytest.raises(CorollaError, match=r"texture\.means"):
        Calibration.load(file, (CLASSES, WIDTH, 9))
    with pytest.raises(CorollaError, match="corolla calibrate"):
        Calibration.load(file, (CLASSES, 7, TOKEN))


@pytest.mark.parametrize("change", [
    {"temperature": 1e9}, {"temperature": "warm"}, {"temperature": None}, {"n": 7}, {"format": 1}, {"novelty": 3},
    {"novelty": {"median": 1, "border": 1}}, {"novelty": {"median": float("nan"), "border": 1}}, {"facts": 3},
    {"scores": {}}, {"scores": {"other": {"median": 0, "border": 1}}}, {"scores": {"energy": {"median": 0}}},
    {"scores": {"distance": {"median": 2, "border": 1}}}, {"scores": ["energy"]},
])  # fmt: skip
def test_numbers_that_cannot_be_are_refused_in_one_line(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    said, arrays = taken_apart(file)
    save_file(arrays, file, metadata={"calibration": json.dumps(said | change)})
    with pytest.raises(CorollaError) as caught:
        Calibration.load(file, SIZES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [
    {"scores": np.array([0.5], np.float32)}, {"scores": np.full(60, np.nan, np.float32)},
    {"scores": np.zeros((60, 1), np.float32)}, {"ranks": np.arange(60)[::-1].copy()},
    {"distance.whitening": np.full((WIDTH, WIDTH), np.nan, np.float32)}, {"texture.means": np.zeros((CLASSES, WIDTH))},
])  # fmt: skip
def test_arrays_that_cannot_be_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    said, arrays = taken_apart(file)
    save_file(arrays | change, file, metadata={"calibration": json.dumps(said)})
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, SIZES)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 64])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "calibration.safetensors"
    file.write_bytes(content)
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, SIZES)
    made().save(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CorollaError, match="cannot read"):
        Calibration.load(file, SIZES)


def taken_apart(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import safe_open

    made().save(file)
    with safe_open(file, framework="numpy") as content:
        return json.loads(content.metadata()["calibration"]), load_file(file)
