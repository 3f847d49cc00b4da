"""Frozen features: of an image and its mirror image, once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from corolla.cache import cache_folder
from corolla.data.decoding import read_image
from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.features import extraction
from corolla.features.extraction import digest, image_features
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing

PREPARED = Preprocessing((16, 16))


@pytest.fixture(scope="module")
def manifest(swatches: Path) -> Manifest:
    return load_data(swatches)


def columns(images: torch.Tensor) -> torch.Tensor:
    """Features that tell left from right: the mean of every column."""
    return images.mean(dim=(1, 2))


def test_features_are_in_the_manifests_order_with_the_mirror_image_beside(manifest: Manifest) -> None:
    features = image_features(manifest.root, manifest.split("val"), columns, PREPARED, "cpu")
    for example, row in zip(manifest.split("val"), features, strict=True):
        expected = columns(PREPARED(read_image(manifest.locate(example)))[None])[0]
        torch.testing.assert_close(row[0], expected)
        torch.testing.assert_close(row[1], expected.flip(0))


def test_features_with_a_key_are_computed_once(manifest: Manifest) -> None:
    asked: list[int] = []

    def counted(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return columns(images)

    first = image_features(manifest.root, manifest.split("train"), counted, PREPARED, "cpu", key="once")
    often = len(asked)
    assert often
    assert torch.equal(
        first, image_features(manifest.root, manifest.split("train"), counted, PREPARED, "cpu", key="once")
    )
    assert len(asked) == often
    image_features(
        manifest.root, manifest.split("train"), counted, Preprocessing((16, 16), crop_fraction=0.5), "cpu", key="once"
    )
    image_features(manifest.root, manifest.split("train"), counted, PREPARED, "cpu", key="other")
    assert len(asked) == 3 * often


def test_features_that_were_broken_off_are_gone_on_with(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "BATCH", 8)
    asked: list[int] = []

    def counted(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return columns(images)

    def stop(done: int, total: int) -> None:
        if done >= 24:
            raise KeyboardInterrupt

    whole = image_features(manifest.root, manifest.split("train"), columns, PREPARED, "cpu", key="unbroken")
    for _ in range(2):  # the second time it has not come any further
        with pytest.raises(KeyboardInterrupt):
            image_features(manifest.root, manifest.split("train"), counted, PREPARED, "cpu", stop, key="broken")
    asked.clear()
    assert torch.equal(
        whole, image_features(manifest.root, manifest.split("train"), counted, PREPARED, "cpu", key="broken")
    )
    assert sum(asked) == 2 * (len(whole) - 32)  # 24 the first time, 8 the second, and each with its mirror image
    assert not list((cache_folder() / "features").glob("*-part*"))


def test_a_damaged_cache_is_computed_anew(manifest: Manifest) -> None:
    first = image_features(manifest.root, manifest.split("val"), columns, PREPARED, "cpu", key="damaged")
    for file in (cache_folder() / "features").iterdir():
        file.write_bytes(file.read_bytes()[:-7])
    assert torch.equal(
        first, image_features(manifest.root, manifest.split("val"), columns, PREPARED, "cpu", key="damaged")
    )


def test_the_digest_is_of_every_weight() -> None:
    model = ViT(vit_config("vit_pico_patch8_16", 3))
    before = digest(model)
    assert digest(model) == before
    with torch.no_grad():
        model.blocks[1].mlp.fc2.weight[3, 4] += 1e-6
    assert digest(model) != before


def test_the_digest_is_of_what_no_weight_tells() -> None:
    """Equal tensors answer otherwise where heads are cut otherwise, or queries and keys turned otherwise."""
    config = vit_config("vit_pico_patch8_16", 3, rotary="counted")
    model = ViT(config)
    names = {digest(model)}
    turned = ({"rotary_base": 50.0}, {"rotary": "centered"}, {"rotary_grid": (3, 3)})
    for change in (*turned, {"num_heads": 4}, {"norm_eps": 1e-5}):
        other = ViT(replace(config, **change))
        other.load_state_dict(model.state_dict())
        names.add(digest(other))
    assert len(names) == 6
    resting = ViT(replace(config, drop_path=0.1))  # which features do not see
    resting.load_state_dict(model.state_dict())
    assert digest(resting) == digest(model)
