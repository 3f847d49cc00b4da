"""One small calibrated classifier and its graph, built once for the tests of files, and the graphs of other runs."""

import hashlib
import pickle
from collections.abc import Iterator

import onnx
import pytest

from corolla.classifier import Classifier
from corolla.export import run_export as export
from corolla.export.onnx import build
from corolla.onnx_runtime.metadata import OnnxMetadata, Precision
from shapes import build_chance, calibrate_by_chance


@pytest.fixture(scope="session")
def small() -> Classifier:
    """A hybrid with horizontal flips; do not change it."""
    classifier = build_chance("hybrid", True, embed_dim=32, mlp_dim=64)
    calibrate_by_chance(classifier)
    return classifier


@pytest.fixture(scope="session")
def graph(small: Classifier) -> onnx.ModelProto:
    """Its graph in single precision; do not change it."""
    return build(small)


def card(classifier: Classifier, precision: Precision = "fp32") -> OnnxMetadata:
    assert classifier.calibration
    return OnnxMetadata(
        "small", classifier.classes, classifier.preprocessing, precision, classifier.calibration,
        classifier.calibration.ood_detector.name, {"model": "tiny"},
    )  # fmt: skip


@pytest.fixture(name="card", scope="session")
def card_fixture() -> object:
    return card


@pytest.fixture(scope="session", autouse=True)
def _graphs_are_kept() -> Iterator[None]:
    """Build a run's graph once for all tests that export it: PyTorch takes seconds for it, with the same result."""
    kept: dict[str, bytes] = {}

    def once(classifier: Classifier) -> onnx.ModelProto:
        told = (classifier.classes, classifier.preprocessing, classifier.flip, classifier.model.config)
        state = {name: tensor.numpy() for name, tensor in classifier.model.state_dict().items()}
        digest = hashlib.sha256(pickle.dumps((told, classifier.calibration, state))).hexdigest()
        if digest not in kept:
            kept[digest] = build(classifier).SerializeToString()
        return onnx.load_model_from_string(kept[digest])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "build", once)
        yield
