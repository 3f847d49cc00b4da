"""The file computes what the classifier does, in both runtimes, for any number of images of any size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from corolla.classifier import Classifier
from corolla.errors import CorollaError
from corolla.explanations.maps import explain_pixels
from corolla.export.graph import Graph
from corolla.export.onnx import LARGEST, OPSET, build, by_program, free, hushed, scope, with_card
from corolla.onnx_runtime.backends import BACKENDS, INPUT, Backend
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.painted import paint
from shapes import build_chance, calibrate_by_chance, noises


@pytest.fixture(scope="module")
def file(small: Classifier, graph: onnx.ModelProto, card: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "small.onnx"
    path.write_bytes(with_card(graph, card(small)))
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_says_what_the_classifier_says(small: Classifier, file: Path, backend: Backend) -> None:
    portable = OnnxPredictor.load(file, backend)
    assert portable.classes == small.classes
    assert portable.card.about == {"model": "tiny"}
    for n in (1, 2, 7):
        pixels = noises(n, seed=n)
        found, expected = portable.infer(pixels), small.infer(pixels)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-5)
            assert one.ood_score == pytest.approx(other.ood_score, rel=1e-3, abs=1e-3)
        assert portable.explain(pixels).shape == (n, 2, 5)


@pytest.mark.parametrize("shape", ["rotary", "rotary beside learned positions"])
def test_rotary_positions_go_into_the_file(shape: str, card: Callable, tmp_path: Path) -> None:
    classifier = build_chance(shape, flip=True)
    calibrate_by_chance(classifier)
    (tmp_path / "rotary.onnx").write_bytes(with_card(build(classifier), card(classifier)))
    portable = OnnxPredictor.load(tmp_path / "rotary.onnx", "onnxruntime")
    pixels = noises(3)
    for one, other in zip(portable.infer(pixels), classifier.infer(pixels), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-5)
    for found, expected in zip(portable.explain(pixels), explain_pixels(classifier, pixels, ["rollout"]), strict=True):
        np.testing.assert_allclose(found, expected[0].map, atol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(64, 48), (40, 16), (17, 90), (1, 1)])
def test_it_prepares_images_of_any_size_itself(
    small: Classifier, file: Path, backend: Backend, size: tuple[int, int]
) -> None:
    image = paint("daisy", 3, 64).resize(size)
    portable = OnnxPredictor.load(file, backend)
    [found] = portable.compute(np.asarray(image)[None], ["probabilities"])
    np.testing.assert_allclose(found[0], small.predict_proba([image])[0], atol=5e-3)


@pytest.mark.parametrize("shape", ["registers", "distilled", "class token and mean", "rotary"])
def test_the_exporter_of_programs_takes_every_kind_of_token(shape: str) -> None:
    classifier = build_chance(shape)
    with torch.no_grad(), hushed():
        model = free(by_program(Graph(classifier).eval()))
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [0, 0, 0, 3]


def test_names_and_sets_are_made_as_the_run_makes_them(small: Classifier, file: Path) -> None:
    image = Image.fromarray(noises(1, seed=5)[0])
    portable = OnnxPredictor.load(file)
    for coverage in (None, 0.5, 0.9):
        one, other = portable.predict(image, coverage=coverage), small.predict(image, coverage=coverage)
        assert (one.label, one.labels, one.accepted) == (other.label, other.labels, other.accepted)


def test_plain_onnxruntime_can_use_it_by_its_metadata(file: Path) -> None:
    import json

    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    card = json.loads(session.get_modelmeta().custom_metadata_map["corolla"])
    [probabilities] = session.run(["probabilities"], {INPUT: np.asarray(paint("rose", 0, 50))[None]})
    assert probabilities.shape == (1, len(card["classes"]))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert 0 <= card["promises"]["least_probability"]["0.9"] <= 1


def test_the_file_is_sound_and_knows_nothing_of_this_computer(graph: onnx.ModelProto, file: Path) -> None:
    onnx.checker.check_model(onnx.load(file), full_check=True)
    assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [OPSET]
    content = file.read_bytes()
    for word in (str(Path.cwd()), "site-packages", "corolla/export", "Traceback"):
        assert word.encode() not in content


def test_nodes_are_named_by_where_they_come_from(graph: onnx.ModelProto) -> None:
    scopes = {scope(node) for node in graph.graph.node}
    assert {"model.blocks.0.attn.qkv", "model.head", "resize"} <= scopes
    assert any(name.startswith("ood_score.distances") for name in scopes)


def test_the_older_exporter_says_the_same(
    small: Classifier, card: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(graph: Graph) -> onnx.ModelProto:
        raise RuntimeError

    monkeypatch.setattr("corolla.export.onnx.by_program", fails)
    model = build(small)
    file = tmp_path / "traced.onnx"
    file.write_bytes(with_card(model, card(small)))
    pixels = noises(5, seed=9)
    found = np.stack([output.probabilities for output in OnnxPredictor.load(file).infer(pixels)])
    np.testing.assert_allclose(found, [output.probabilities for output in small.infer(pixels)], atol=2e-5)
    assert {"model.blocks.0.attn.qkv"} <= {scope(node) for node in model.graph.node}


def test_a_model_that_no_file_holds_is_refused() -> None:
    classifier = build_chance()
    with torch.device("meta"):
        classifier.model.head = torch.nn.Linear(1024, LARGEST // 4096 + 1)
    with pytest.raises(CorollaError, match="one ONNX file holds"):
        build(classifier)
