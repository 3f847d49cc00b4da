"""What a file says of itself survives the way through text, and nonsense does not."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corolla.onnx_runtime.metadata import COVERAGES, OnnxMetadata
from corolla.preprocessing import Preprocessing
from corolla.uncertainty.calibration import ConformalCalibration
from corolla.uncertainty.conformal import Conformal


def made(**changes: Any) -> OnnxMetadata:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 90).astype(np.float32)
    conformal = Conformal.fit(probabilities, np.arange(90) % 3)
    fields = {
        "name": "my run", "classes": ("a", "grün", "c"), "preprocessing": Preprocessing((32, 48), 0.9, "bilinear"),
        "precision": "int8", "promises": ConformalCalibration(0.7, conformal), "ood_score": "energy and texture",
        "about": {"model": "tiny"}, "proof": {"n": 3},
    }  # fmt: skip
    return OnnxMetadata(**fields | changes)


def again(card: OnnxMetadata) -> OnnxMetadata:
    return OnnxMetadata.from_text(json.dumps(card.to_json()))


@pytest.mark.parametrize("changes", [{}, {"promises": None, "ood_score": None}, {"precision": "fp32"}])
def test_it_survives_text(changes: dict[str, Any]) -> None:
    card, back = made(**changes), again(made(**changes))
    for field in ("name", "classes", "preprocessing", "precision", "ood_score", "about", "proof"):
        assert getattr(back, field) == getattr(card, field)
    if card.promises:
        assert back.promises.temperature == 0.7
        for coverage in COVERAGES:
            assert back.promises.conformal.largest(coverage) == card.promises.conformal.largest(coverage)


def test_the_names_of_format_1_are_read() -> None:
    said = made().to_json() | {"format": 1}
    said["novelty"] = said.pop("ood_score")
    assert OnnxMetadata.from_text(json.dumps(said)).ood_score == "energy and texture"


def test_thresholds_are_those_of_the_sets() -> None:
    card = made()
    least = card.to_json()["promises"]["least_probability"]
    rows = np.random.default_rng(1).dirichlet(np.ones(3), 50).astype(np.float32)
    for coverage in COVERAGES:
        expected = card.promises.conformal.sets(rows, coverage)
        apart = np.abs(rows - least[f"{coverage:g}"]) > 1e-6
        assert np.array_equal((rows >= least[f"{coverage:g}"])[apart], expected[apart])


@pytest.mark.parametrize(("field", "value"), [
    ("format", 3), ("classes", ["a", "a"]), ("classes", ["a"]), ("classes", [1, 2]), ("classes", None),
    ("precision", "fp8"), ("name", 3), ("preprocessing", {}), ("preprocessing", {"image_size": [10**9, 1]}),
    ("promises", {"temperature": 0}), ("promises", 3), ("ood_score", {}), ("ood_score", "energy"), ("about", 3),
    ("proof", None),
])  # fmt: skip
def test_what_is_no_card_is_refused(field: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        OnnxMetadata.from_text(json.dumps(made().to_json() | {field: value}))


@pytest.mark.parametrize("change", [
    {"ranks": [3, 2, 1]}, {"scores": [0.1]}, {"scores": [float("nan")] * 90}, {"n": 3}, {"ranks": "many"},
    {"temperature": float("nan")}, {"temperature": "warm"},
])  # fmt: skip
def test_promises_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    said = made().to_json()
    said["promises"] |= change
    with pytest.raises((ValueError, TypeError)):
        OnnxMetadata.from_text(json.dumps(said))


KEYS = st.sampled_from(["format", "classes", "promises", "name", "about"])
ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)
)


@given(ANY)
def test_no_other_json_is_a_card(value: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        OnnxMetadata.from_text(json.dumps(value))
