"""A hybrid in timm: the same answers, and all that timm does with its own models."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

import corolla.bridges.timm
from corolla.errors import CorollaError
from corolla.weights import Weights, load_weights, write_weights
from references import BRIDGED, SIZES, error, hybrid, ours, timm_again


def written(weights: Weights, folder: Path) -> Path:
    result = write_weights(weights, folder, "timm")
    assert result.difference <= 1e-5
    assert result.needs == corolla.bridges.timm.__name__
    return folder


@pytest.mark.parametrize("name", BRIDGED)
def test_the_answers_are_ours(name: str, tmp_path: Path) -> None:
    weights = hybrid(BRIDGED[name])
    model = timm_again(written(weights, tmp_path / "out"))
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        expected = ours(weights, images)
        assert expected.abs().max() > 0.1
        assert error(model(images).detach(), expected) <= 1e-5
        assert error(model.forward_head(model.forward_features(images)).detach(), expected) <= 1e-5
        assert error(ours(load_weights(tmp_path / "out"), images), expected) <= 1e-5


def test_preprocessing_and_names_come_along(tmp_path: Path) -> None:
    model = timm_again(written(hybrid(BRIDGED["hybrid"]), tmp_path / "out"))
    asked = timm.data.resolve_model_data_config(model)
    assert list(asked["input_size"]) == [3, 32, 32]
    assert (asked["crop_pct"], asked["interpolation"]) == (0.875, "bilinear")
    assert (asked["mean"], asked["std"]) == ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
    assert model.pretrained_cfg["label_names"] == ["kind 0", "kind 1", "kind 2", "kind 3"]


def test_another_head_or_none(tmp_path: Path) -> None:
    folder = written(hybrid(BRIDGED["hybrid"]), tmp_path / "out")
    images = torch.randn(2, 3, 32, 32)
    whole = timm_again(folder)
    features = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    assert features(images).shape == (2, features.num_features) == (2, 48)
    assert torch.equal(features(images), whole.forward_head(whole.forward_features(images), pre_logits=True))
    tuned = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=7).eval()
    assert tuned(images).shape == (2, 7)
    assert torch.equal(tuned.blocks[1].norm2.weight, whole.blocks[1].norm2.weight)
    tuned.reset_classifier(3)
    assert tuned.get_classifier().out_features == 3


def test_without_the_import_timm_does_not_know_it(tmp_path: Path) -> None:
    folder = written(hybrid(BRIDGED["hybrid"]), tmp_path / "out")
    create = f"import timm; timm.create_model('local-dir:{folder}', pretrained=True)"
    alone = subprocess.run([sys.executable, "-c", create], check=False, capture_output=True, text=True)
    assert "Unknown model (corolla_vit)" in alone.stderr


def test_a_hostile_architecture_is_one_line(tmp_path: Path) -> None:
    folder = written(hybrid(BRIDGED["hybrid"]), tmp_path / "out")
    settings = json.loads((folder / "config.json").read_text())
    for change in (
        {"depth": 10**9},
        {"drop_path": "x"},
        {"stem": 7},
        {"image_size": None},
        {"unheard": 1},
        {"depth": 3},
    ):
        told = settings | {"model_args": settings["model_args"] | change}
        (folder / "config.json").write_text(json.dumps(told))
        with pytest.raises(CorollaError) as caught:
            load_weights(folder)
        assert "\n" not in str(caught.value)
    save_file({"x": torch.ones(1)}, folder / "model.safetensors")
    with pytest.raises(CorollaError, match=r"head\.weight"):
        load_weights(folder)
