"""One small calibrated classifier and its graph, built once for the tests of files."""

import onnx
import pytest

from corolla.classifier import Classifier
from corolla.export.onnx import build
from corolla.portable.card import Card, Precision
from shapes import build_chance, calibrate_by_chance


@pytest.fixture(scope="session")
def small() -> Classifier:
    """A hybrid with mirror images; do not change it."""
    classifier = build_chance("hybrid", True, width=32, mlp_dim=64)
    calibrate_by_chance(classifier)
    return classifier


@pytest.fixture(scope="session")
def graph(small: Classifier) -> onnx.ModelProto:
    """Its graph in single precision; do not change it."""
    return build(small)


def card(classifier: Classifier, precision: Precision = "fp32") -> Card:
    assert classifier.calibration
    return Card(
        "small", classifier.classes, classifier.preprocessing, precision, classifier.calibration,
        classifier.calibration.novelty.name, {"model": "tiny"},
    )  # fmt: skip


@pytest.fixture(name="card", scope="session")
def card_fixture() -> object:
    return card
