"""Every dialect against the library that speaks it: the same logits or features, read and written back."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from corolla.weights import load_weights, write_weights
from references import REFERENCES, SIZES, asked, error, google_arrays, ours, shaken

MOST = 1e-5  # of the scale of the answers


@pytest.mark.parametrize("name", REFERENCES)
def test_in_and_out(name: str, tmp_path: Path) -> None:
    reference = REFERENCES[name]
    theirs = reference.make()
    (tmp_path / "in").mkdir()
    weights = load_weights(reference.save(theirs, tmp_path / "in"))
    folder = tmp_path / "out"
    written = write_weights(weights, folder, reference.to)
    assert written.difference <= MOST
    assert written.needs is None
    back = reference.again(folder)
    again = load_weights(folder / "model.npz" if reference.to == "google" else folder, heads=weights.config.num_heads)
    for size in reference.sizes:
        images = torch.randn(2, 3, *SIZES[size])
        expected = asked(theirs, images)
        assert expected.abs().max() > 0.1
        assert error(ours(weights, images), expected) <= MOST
        assert error(ours(again, images), expected) <= MOST
        assert error(asked(back, images), expected) <= MOST


def test_a_checkpoint_in_many_files_is_one(tmp_path: Path) -> None:
    theirs = REFERENCES["transformers ViT"].make()
    theirs.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    images = torch.randn(2, 3, 32, 32)
    assert error(ours(load_weights(tmp_path), images), asked(theirs, images)) <= MOST


def test_google_is_written_as_it_was_read(tmp_path: Path) -> None:
    arrays = google_arrays()
    np.savez(tmp_path / "ViT.npz", **arrays)
    weights = load_weights(tmp_path / "ViT.npz")
    assert weights.config.num_heads == 3
    write_weights(weights, tmp_path / "out", "google")
    with np.load(tmp_path / "out" / "model.npz") as again:
        assert {name: again[name].tolist() for name in again.files} == {n: a.tolist() for n, a in arrays.items()}


def test_a_mean_told_only_by_the_settings_is_taken(tmp_path: Path) -> None:
    """The same tensors make another model where timm's settings say that its head reads the patches."""
    shape = {"embed_dim": 64, "depth": 1, "num_heads": 1, "img_size": 32, "patch_size": 8, "num_classes": 4}
    theirs = shaken(timm.create_model("vit_base_patch16_224", global_pool="avg", fc_norm=False, **shape))
    images = torch.randn(2, 3, 32, 32)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    assert error(ours(load_weights(tmp_path / "weights.pth"), images), asked(theirs, images)) > 0.01
    (tmp_path / "config.json").write_text(json.dumps({"model_args": {"global_pool": "avg"}}))
    assert error(ours(load_weights(tmp_path / "weights.pth"), images), asked(theirs, images)) <= MOST


def test_a_head_on_the_class_token_becomes_one_that_makes_nothing_of_the_mean(tmp_path: Path) -> None:
    """DeiT III has LayerScale, which transformers' DINOv2 alone has words for; its head reads the patches too."""
    theirs = REFERENCES["timm DeiT III"].make()
    weights = load_weights(REFERENCES["timm DeiT III"].save(theirs, tmp_path))
    write_weights(weights, tmp_path / "out", "huggingface")
    back = REFERENCES["transformers DINOv2, classifier"].again(tmp_path / "out")
    images = torch.randn(2, 3, 32, 32)
    assert error(asked(back, images), asked(theirs, images)) <= MOST


def test_the_full_size(tmp_path: Path) -> None:
    """ViT-B/16 as it is published, but for its weights."""
    theirs = shaken(timm.create_model("vit_base_patch16_224"))
    torch.save(theirs.state_dict(), tmp_path / "vit_base.pth")
    images = torch.randn(1, 3, 224, 224)
    assert error(ours(load_weights(tmp_path / "vit_base.pth"), images), asked(theirs, images)) <= MOST
