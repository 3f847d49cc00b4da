"""Explanations end to end: they follow the evidence, whatever the model is made of, and leave the model alone."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

import corolla
from corolla.classifier import Classifier, cast_weights
from corolla.data.decoding import ImageError
from corolla.errors import CorollaError
from corolla.explanations import DEFAULT, Method
from corolla.explanations import maps as module
from corolla.explanations.maps import METHODS, NEED_GRADIENTS, Explanation, explain, explain_all
from corolla.precision import Precision

ALL: tuple[Method, ...] = get_args(Method)
Make = Callable[..., Classifier]


def place_of_largest(found: Explanation) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.unravel_index(found.map.argmax(), found.map.shape))


def test_every_method_has_its_entry_and_the_default_is_one() -> None:
    assert tuple(METHODS) == ALL
    assert DEFAULT in METHODS
    assert set(METHODS) >= NEED_GRADIENTS


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "changes",
    [{}, {"num_reg_tokens": 3}, {"global_pool": "avg"}, {"global_pool": "avg", "num_reg_tokens": 2}, {"flip": True}],
    ids=str,
)  # fmt: skip
def test_the_map_goes_where_the_evidence_goes(method: Method, changes: dict, finder: Make, scene: Callable) -> None:
    classifier = finder(**changes)
    for place in ((0, 0), (3, 1), (1, 5), (2, 2)):
        found = explain(classifier, scene(*place), method)
        assert found.label == "red"
        assert found.map.shape == (4, 6)
        assert place_of_largest(found) == place


def test_another_class_has_another_map_by_relevance_alone(finder: Make, scene: Callable) -> None:
    classifier, image = finder(), scene(1, 1)
    for method in ALL:
        red, nothing = (explain(classifier, image, method, label) for label in ("red", "nothing"))
        assert (red.label, nothing.label) == ("red", "nothing")
        assert red.probability + nothing.probability == pytest.approx(1, abs=0.01)
        assert np.array_equal(red.map, nothing.map) == (method not in NEED_GRADIENTS)
    assert not explain(classifier, image, "relevance", "nothing").map.any()  # that logit is a constant


def test_every_shape_of_model_is_explained(shape: str, chance: Make, noise: Callable) -> None:
    for flip in (False, True):
        classifier = chance(shape, flip)
        [(_, found)] = explain_all(classifier, [noise(0)], ALL)
        assert [one.method for one in found] == list(ALL)
        answer = classifier.predict(noise(0))
        for one in found:
            assert one.map.shape == (2, 5)
            assert one.map.dtype == np.float32
            assert np.isfinite(one.map).all()
            assert one.map.std() > 0
            assert one.map.min() >= 0
            assert one.label == answer.label
            assert one.probability == pytest.approx(answer.probability, abs=1e-6)
            assert one.pixels.shape == (16, 40, 3)
        assert [one.heads is None for one in found] == [method != "attention" for method in ALL]


def test_the_attention_is_the_class_tokens_row_in_the_last_block(chance: Make, noise: Callable) -> None:
    classifier = chance("registers")
    seen = classifier.model.forward_intermediates(classifier.preprocessing(noise(0))[None])
    found = explain(classifier, noise(0), "attention")
    row = seen.attention[-1][0, :, 0, 4:].detach().numpy().reshape(2, 2, 5)  # after the class token and 3 registers
    np.testing.assert_allclose(found.heads, row, rtol=1e-5)
    np.testing.assert_allclose(found.map, row.mean(axis=0), rtol=1e-5)


def test_without_a_class_token_it_is_the_mean_of_the_patches_rows(chance: Make, noise: Callable) -> None:
    classifier = chance("mean and registers")
    seen = classifier.model.forward_intermediates(classifier.preprocessing(noise(0))[None])
    row = seen.attention[-1][0, :, 2:, 2:].mean(dim=1).detach().numpy().reshape(2, 2, 5)
    np.testing.assert_allclose(explain(classifier, noise(0), "attention").heads, row, rtol=1e-5)


def test_a_mirrored_image_has_the_mirrored_map(chance: Make, noise: Callable) -> None:
    mirrored = noise(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for method in ALL:
        one, other = (explain(chance("hybrid", flip=True), image, method).map for image in (noise(1), mirrored))
        np.testing.assert_allclose(one, other[:, ::-1], rtol=1e-3, atol=1e-6)


def test_neighbors_and_the_size_of_a_pass_change_nothing(
    chance: Make, noise: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    classifier = chance("class token and mean", flip=True)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    images = [noise(0), bad, *(noise(seed) for seed in range(1, 11))]
    together = list(explain_all(classifier, images, ALL))
    assert [place for place, _ in together] == list(range(12))
    assert [place for place, found in together if isinstance(found, ImageError)] == [1]
    monkeypatch.setattr(module, "ROOM", 1)
    assert module.images_at_once(classifier) == 1
    for (_, found), (_, alone) in zip(together, explain_all(classifier, images, ALL), strict=True):
        if not isinstance(found, ImageError):
            for one, other in zip(found, alone, strict=True):
                np.testing.assert_allclose(one.map, other.map, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_explained_is_told_in_a_line(
    chance: Make, noise: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    classifier = chance()
    with pytest.raises(CorollaError, match="no class 'd'; it knows a, b, c"):
        explain(classifier, noise(0), label="d")
    with pytest.raises(CorollaError, match="choose one of relevance, rollout, attention"):
        explain(classifier, noise(0), "saliency")  # type: ignore[arg-type]
    with pytest.raises(ImageError):
        explain(classifier, tmp_path / "missing.jpg")
    monkeypatch.setattr(module, "MOST", 1000)
    with pytest.raises(CorollaError, match=r"11 tokens would take .* GB for the attention of 2 blocks"):
        explain(classifier, noise(0))


def test_frozen_weights_and_inference_mode_are_no_obstacle(chance: Make, noise: Callable) -> None:
    classifier = chance()
    free = explain(classifier, noise(0), "relevance").map
    for parameter in classifier.model.parameters():
        parameter.requires_grad_(False)
    frozen = explain(classifier, noise(0), "relevance").map
    with torch.inference_mode():
        inside = explain(classifier, noise(0), "relevance").map
    assert np.array_equal(free, frozen)
    assert np.array_equal(free, inside)


def test_the_model_is_left_as_it_was(chance: Make, noise: Callable) -> None:
    model = chance().model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    explain(Classifier(model, chance().preprocessing, ("a", "b", "c"), flip=False), noise(0), "relevance")
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training


def test_a_classifier_that_answers_in_bfloat16_is_explained_in_float32(chance: Make, noise: Callable) -> None:
    exact = chance(embed_dim=32)
    exact.precision = Precision("no", "")
    half = Classifier(exact.model, exact.preprocessing, exact.classes, flip=False, precision=Precision("bf16", ""))
    half.answering = cast_weights(half.model, torch.bfloat16)
    label = half.predict(noise(0)).label
    one, other = (explain(classifier, noise(0), "relevance", label) for classifier in (exact, half))
    assert np.array_equal(one.map, other.map)
    assert one.probability != other.probability


def test_a_compiled_model_is_explained(chance: Make, noise: Callable) -> None:
    classifier = chance()
    plain = explain(classifier, noise(0), "relevance").map
    for block in classifier.model.blocks:
        block.compile(backend="aot_eager")
    with torch.no_grad():
        assert classifier.model(torch.zeros(1, 3, 16, 40)).shape == (1, 3)  # compiled by now
    np.testing.assert_allclose(explain(classifier, noise(0), "relevance").map, plain, rtol=1e-5)


def test_the_api_has_it_under_one_name(finder: Make, scene: Callable) -> None:
    found = corolla.explain(finder(), scene(0, 3))
    assert isinstance(found, corolla.Explanation)
    assert found.method == DEFAULT
    assert found.overlay().size == (48, 32)
