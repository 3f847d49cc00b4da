"""A hybrid in transformers: the same answers, names and preprocessing through its automatic classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import corolla.bridges.transformers
from corolla.painted import paint
from corolla.preprocessing import Preprocessing
from corolla.weights import Weights, load_weights, write_weights
from references import BRIDGED, SIZES, asked, error, hybrid, ours


def written(weights: Weights, folder: Path) -> Path:
    result = write_weights(weights, folder, "huggingface")
    assert result.difference <= 1e-5
    assert result.needs == corolla.bridges.transformers.__name__
    return folder


@pytest.mark.parametrize("name", BRIDGED)
def test_the_answers_are_ours(name: str, tmp_path: Path) -> None:
    weights = hybrid(BRIDGED[name])
    folder = written(weights, tmp_path / "out")
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    model.save_pretrained(tmp_path / "again")
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        expected = ours(weights, images)
        assert expected.abs().max() > 0.1
        assert error(asked(model, images), expected) <= 1e-5
        for place in (folder, tmp_path / "again"):
            assert error(ours(load_weights(place), images), expected) <= 1e-5


def test_names_loss_and_another_head(tmp_path: Path) -> None:
    folder = written(hybrid(BRIDGED["hybrid"]), tmp_path / "out")
    model = transformers.AutoModelForImageClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "kind 0", 1: "kind 1", 2: "kind 2", 3: "kind 3"}
    assert model.config.label2id["kind 2"] == 2
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([1, 3])
    output = model(images, labels=labels)
    assert torch.allclose(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    tuned = transformers.AutoModelForImageClassification.from_pretrained(
        folder, num_labels=7, ignore_mismatched_sizes=True
    )
    assert tuned(images).logits.shape == (2, 7)
    assert torch.equal(tuned.vit.norm.weight, model.vit.norm.weight)
    assert not tuned.vit.head.weight.any()


def test_an_image_that_is_not_square_keeps_its_shape(tmp_path: Path) -> None:
    weights = hybrid(replace(BRIDGED["hybrid"], image_size=(64, 96)))
    weights = replace(weights, preprocessing=Preprocessing((64, 96)))
    processor = transformers.AutoImageProcessor.from_pretrained(written(weights, tmp_path / "out"))
    image = paint("rose", 1, 240).crop((0, 0, 240, 160))
    theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    assert weights.preprocessing is not None
    assert (theirs - weights.preprocessing(image)).abs().max() < 0.1


def test_images_are_prepared_as_ours_and_a_pipeline_answers(tmp_path: Path) -> None:
    weights = hybrid(replace(BRIDGED["hybrid"], image_size=(96, 96)))
    folder = written(weights, tmp_path / "out")
    image = paint("rose", 1, 256).crop((0, 0, 256, 200))
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    assert weights.preprocessing is not None
    mine = weights.preprocessing(image)
    assert theirs.shape == mine.shape
    uncropped = replace(weights.preprocessing, crop_fraction=1.0)(image)
    assert (theirs - mine).abs().mean() < 0.1 * (uncropped - mine).abs().mean()  # half a pixel, by rounding
    classify = transformers.pipeline("image-classification", model=str(folder))
    told = {answer["label"]: answer["score"] for answer in classify(image, top_k=4)}
    chances = weights.model()(theirs[None]).softmax(dim=1)[0].detach().numpy()
    assert np.allclose([told[name] for name in weights.classes or ()], chances, atol=1e-5)
