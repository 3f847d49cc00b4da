"""What goes into the file says what the run says."""

import numpy as np
import pytest
import torch

from corolla.explanations.maps import explain_pixels
from corolla.export.graph import Graph
from corolla.uncertainty.ood import KINDS, Kind, mixtures
from shapes import SHAPES, build_chance, calibrate_by_chance, noises


def outputs(graph: Graph, pixels: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        found = graph.eval()(torch.from_numpy(pixels))
    return {name: value.numpy() for name, value in zip(graph.outputs, found, strict=True)}


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_model_says_the_same(shape: str, flip: bool) -> None:
    classifier = build_chance(shape, flip)
    calibrate_by_chance(classifier)
    pixels = noises(6, seed=1)
    found = outputs(Graph(classifier), pixels)
    expected = classifier.infer(pixels)
    np.testing.assert_allclose(found["probabilities"], [output.probabilities for output in expected], atol=1e-5)
    np.testing.assert_allclose(found["ood_score"], [output.ood_score for output in expected], atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(found["logits"], classifier.raw_outputs(pixels).logits, atol=1e-4)
    maps = [explained[0].map for explained in explain_pixels(classifier, pixels, ["rollout"])]
    np.testing.assert_allclose(found["rollout"], maps, atol=1e-5)


@pytest.mark.parametrize("kinds", mixtures(KINDS))
def test_every_ood_score(kinds: tuple[Kind, ...]) -> None:
    classifier = build_chance("registers", True)
    calibrate_by_chance(classifier, kinds)
    pixels = noises(6, seed=2)
    expected = [output.ood_score for output in classifier.infer(pixels)]
    np.testing.assert_allclose(outputs(Graph(classifier), pixels)["ood_score"], expected, atol=1e-3, rtol=1e-3)


def test_a_run_that_is_not_calibrated_has_no_ood_score() -> None:
    classifier = build_chance()
    graph = Graph(classifier)
    assert graph.outputs == ["probabilities", "logits", "rollout"]
    pixels = noises(3)
    own = classifier.raw_outputs(pixels).probabilities
    np.testing.assert_allclose(outputs(graph, pixels)["probabilities"], own, atol=1e-5)
