"""What older versions wrote still opens and predicts what it predicted."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import corolla
from corolla.formats import FORMAT, upgraded, upgraded_architecture, upgraded_tensors
from corolla.run import Run
from corolla.weights import load_weights

OLD = Path(__file__).parent / "compat"
IMAGES = sorted((OLD / "images").iterdir())


@pytest.mark.parametrize("name", ["run", "run.onnx"])
def test_a_run_and_an_exported_file_of_format_1_predict_what_they_did(name: str) -> None:
    expected = json.loads((OLD / "answers.json").read_text(encoding="utf-8"))[name]
    predictor = corolla.load(OLD / name)
    for image, found in zip(IMAGES, predictor.predict(IMAGES, top=5), strict=True):
        stored = expected[image.name]
        assert found.label == stored["label"]
        assert dict(found.top) == pytest.approx(stored["top"], abs=2e-6)
        assert found.ood_score == pytest.approx(stored["novelty"], abs=2e-4)


def test_saved_again_in_todays_format_it_predicts_the_same_to_the_bit(tmp_path: Path) -> None:
    old, new = Run(OLD / "run"), Run(tmp_path)
    model, config = old.load_model()
    new.save_model(model)
    new.save_config(config)
    shutil.copyfile(old.calibration, new.calibration)
    assert json.loads(new.config_file.read_text(encoding="utf-8"))["format"] == FORMAT
    before_and_after = (corolla.load(folder).predict(IMAGES) for folder in (old.folder, tmp_path))
    for before, after in zip(*before_and_after, strict=True):
        assert (before.top, before.ood_score) == (after.top, after.ood_score)


def test_its_weights_start_a_training_as_those_of_a_run_do() -> None:
    weights = load_weights(OLD / "run")
    with safe_open(OLD / "run" / "model.safetensors", "pt") as file:
        assert torch.equal(weights.tensors["blocks.1.mlp.fc2.weight"], file.get_tensor("blocks.1.mlp.2.weight"))
        assert torch.equal(weights.tensors["cls_token"], file.get_tensor("class_token"))


def test_names_of_today_are_left_as_they_are() -> None:
    config = json.loads((OLD / "run" / "config.json").read_text(encoding="utf-8"))
    shape = upgraded(config)["architecture"]
    assert upgraded_architecture(shape) == shape
    assert {"embed_dim", "num_heads", "global_pool", "pos_embed", "num_reg_tokens"} <= shape.keys()
    model, _ = Run(OLD / "run").load_model()
    state = model.state_dict()
    assert upgraded_tensors(state).keys() == state.keys()


def test_a_format_of_the_future_is_refused() -> None:
    config = json.loads((OLD / "run" / "config.json").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="another version of corolla; update corolla"):
        upgraded(config | {"format": FORMAT + 1})
