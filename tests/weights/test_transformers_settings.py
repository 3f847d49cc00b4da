"""transformers' config.json: each key that changes the computation is honored as it is there, or refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from corolla.errors import CorollaError
from corolla.weights import load_weights
from corolla.weights.settings import told
from references import DINO, PAPERS, asked, error, ours, shaken

MODELS = {
    "ViTForImageClassification": ("ViTConfig", PAPERS),
    "ViTModel": ("ViTConfig", PAPERS),
    "ViTMSNForImageClassification": ("ViTMSNConfig", PAPERS),
    "DeiTForImageClassification": ("DeiTConfig", PAPERS),
    "Dinov2ForImageClassification": ("Dinov2Config", DINO),
}


def saved(
    folder: Path, kind: str = "ViTForImageClassification", told: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """A model as transformers saves it, its config.json changed by `told`."""
    config, shape = MODELS[kind]
    model = shaken(getattr(transformers, kind)(getattr(transformers, config)(**shape | {"num_labels": 4} | changes)))
    model.save_pretrained(folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | (told or {})))
    return model


def refused(folder: Path) -> str:
    with pytest.raises(CorollaError) as caught:
        load_weights(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("changes", [
    {}, {"layer_norm_eps": 1e-3}, {"qkv_bias": False}, {"num_attention_heads": 2}, {"hidden_dropout_prob": 0.3},
])  # fmt: skip
def test_what_we_compute_is_honored(kind: str, changes: dict[str, Any], tmp_path: Path) -> None:
    model, images = saved(tmp_path, kind, **changes), torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path), images), asked(model, images)) <= 1e-5


def test_a_gate_makes_the_activation_of_no_matter(tmp_path: Path) -> None:
    model = saved(tmp_path, "Dinov2ForImageClassification", use_swiglu_ffn=True, hidden_act="relu")
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path), images), asked(model, images)) <= 1e-5


@pytest.mark.parametrize("act", ["relu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "silu"])
def test_another_activation_is_refused_by_name(act: str, tmp_path: Path) -> None:
    saved(tmp_path, hidden_act=act)
    assert f'its hidden_act is "{act}", and corolla computes only "gelu"' in refused(tmp_path)


@pytest.mark.parametrize(("key", "value"), [
    ("model_type", "beit"), ("num_channels", 1), ("problem_type", "multi_label_classification"),
    ("auto_map", {"AutoModel": "theirs.Model"}), ("quantization_config", {"bits": 4}), ("pruned_heads", {"0": [1]}),
    ("position_embedding_type", "relative_key"), ("qkv_bias", "no"),
])  # fmt: skip
def test_what_we_do_not_compute_is_refused_by_key_and_value(key: str, value: Any, tmp_path: Path) -> None:
    saved(tmp_path, told={key: value})
    said = refused(tmp_path)
    assert f"its {key} is {json.dumps(value)}, and corolla computes only" in said
    assert "use it with transformers itself" in said


def test_what_we_do_not_know_is_refused_by_key_and_value(tmp_path: Path) -> None:
    saved(tmp_path, told={"rope_theta": 100.0})
    assert "it has rope_theta: 100.0, and corolla does not know whether that changes" in refused(tmp_path)


def test_every_configuration_of_transformers_own_is_known() -> None:
    for name in (
        "ViTConfig",
        "DeiTConfig",
        "ViTMSNConfig",
        "Dinov2Config",
        "Dinov2WithRegistersConfig",
        "DINOv3ViTConfig",
    ):
        settings = json.loads(getattr(transformers, name)().to_json_string(use_diff=False))
        found = told(settings)
        assert (found.num_heads, found.epsilon) == (settings["num_attention_heads"], settings["layer_norm_eps"])
        usual = told({"model_type": settings["model_type"]})  # where it says nothing
        assert (usual.num_heads, usual.epsilon, usual.turning) == (found.num_heads, found.epsilon, found.turning)
        assert (found.turning is None) == (name != "DINOv3ViTConfig")


def test_old_configurations_are_known() -> None:
    """As versions 4 wrote them, with what every model once had."""
    old = {"architectures": ["ViTForImageClassification"], "attention_probs_dropout_prob": 0.0, "encoder_stride": 16,
           "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 768, "image_size": 224,
           "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-12, "model_type": "vit",
           "num_attention_heads": 12, "num_channels": 3, "num_hidden_layers": 12, "patch_size": 16, "qkv_bias": True,
           "torch_dtype": "float32", "transformers_version": "4.28.0", "_name_or_path": "google/vit",
           "finetuning_task": None, "problem_type": "single_label_classification", "chunk_size_feed_forward": 0,
           "pruned_heads": {}}  # fmt: skip
    assert told(old).num_heads == 12


def test_a_pooler_beside_a_head_is_asked_about(tmp_path: Path) -> None:
    """transformers' classifiers have none; a module of one's own may read it."""
    model = saved(tmp_path, "ViTModel")
    state = {f"vit.{name}": tensor for name, tensor in load_named(tmp_path).items()}
    assert any("pooler" in name for name in state)
    state |= {"classifier.weight": torch.ones(4, 48), "classifier.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "own.pth")
    assert "it has a pooler and a head" in str(refused_file(tmp_path / "own.pth"))
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"architectures": ["ViTForImageClassification"]}))
    images = torch.randn(2, 3, 32, 32)
    expected = asked(model, images).sum(dim=1, keepdim=True).expand(-1, 4)
    assert error(ours(load_weights(tmp_path / "own.pth"), images), expected) <= 1e-4


def load_named(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def refused_file(file: Path) -> CorollaError:
    with pytest.raises(CorollaError) as caught:
        load_weights(file)
    return caught.value


@pytest.mark.parametrize(("settings", "words"), [
    ({"hidden_act": "relu"}, 'hidden_act is "relu"'), ({"act_layer": "relu"}, 'act_layer is "relu"'),
    ({"global_pool": "max"}, 'global_pool is "max"'), ({"num_heads": "many"}, 'num_heads is "many"'),
])  # fmt: skip
def test_settings_of_a_person_are_read_too(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        told(settings)
    assert told({"lr": 0.1, "epochs": 3}) == told({})
