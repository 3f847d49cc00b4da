"""Figure 7 of the paper from weights that are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corolla.classifier import Classifier
from corolla.explanations.embeddings import (
    MOST_TILES,
    about_filters,
    about_positions,
    draw_filters,
    draw_positions,
    filter_components,
    position_similarity,
    write_embeddings,
)

Make = Callable[..., Classifier]


def test_similarity_is_one_with_itself_and_symmetrical(shape: str, chance: Make) -> None:
    similar = position_similarity(chance(shape).model)
    assert similar.shape == (2, 5, 2, 5)
    flat = similar.reshape(10, 10)
    np.testing.assert_allclose(np.diag(flat), 1, rtol=1e-5)
    np.testing.assert_allclose(flat, flat.T, atol=1e-6)
    assert np.abs(flat).max() <= 1 + 1e-5
    assert flat.min() < 0.999


def test_the_positions_of_class_token_and_registers_are_no_patches(chance: Make) -> None:
    """Positions that know their column alone: alike down a column, at right angles otherwise."""
    model = chance("registers").model
    with torch.no_grad():
        model.pos_embed.zero_()
        model.pos_embed[0, 0] = 1.0  # the class token's
        model.pos_embed[0, 1:] = torch.eye(16)[:5].repeat(2, 1)
    expected = np.broadcast_to(np.eye(5)[None, :, None, :], (2, 5, 2, 5))
    np.testing.assert_allclose(position_similarity(model), expected, atol=1e-6)


def test_of_a_large_grid_some_patches_are_shown() -> None:
    from corolla.models.config import ViTConfig
    from corolla.models.vit import ViT

    model = ViT(ViTConfig(2, (40, 160), 4, 16, 1, 1, 16, pos_embed="sincos"))
    similar = position_similarity(model)
    assert similar.shape == (10, MOST_TILES, 10, 40)
    assert similar[-1, -1, -1, -1] == pytest.approx(1)
    assert similar[0, 0, 0, 0] == pytest.approx(1)


def test_filters_are_the_principal_components_of_what_reads_the_pixels(chance: Make) -> None:
    """All filters are mixtures of two; the components span these two and come in the order of their share."""
    model = chance().model
    rng = np.random.default_rng(0)
    one, two = np.linalg.qr(rng.normal(size=(3 * 8 * 8, 2)))[0].T
    mixture = rng.normal(size=(16, 2)) * (10, 1)
    with torch.no_grad():
        filters = torch.from_numpy(mixture @ np.stack([one, two])).float()
        model.patch_embed.proj.weight.copy_(filters.view(16, 3, 8, 8))
    found = filter_components(model).transpose(0, 3, 1, 2).reshape(-1, 192)  # channels before pixels, as in the weights
    assert len(found) == 16
    assert abs(found[0] @ one) > 0.98
    np.testing.assert_allclose(np.hypot(found[:2] @ one, found[:2] @ two), 1, rtol=1e-4)


def test_the_hybrids_filters_are_its_stems_first(chance: Make) -> None:
    model = chance("hybrid").model
    assert filter_components(model).shape == (4, 3, 3, 3)
    assert "3 x 3 kernels of its stem" in about_filters(model)
    assert "fixed sinusoids" in about_positions(model)
    assert about_filters(chance().model) == "principal components of its 8 x 8 patch filters"
    assert "learned position embeddings" in about_positions(chance().model)


def test_the_images_use_their_colors(shape: str, chance: Make) -> None:
    model = chance(shape).model
    filters, positions = np.asarray(draw_filters(model)), np.asarray(draw_positions(model))
    assert filters.shape[2] == positions.shape[2] == 3
    assert filters.shape[1] > 500
    assert positions.shape[1] > 300
    assert len(np.unique(filters.reshape(-1, 3), axis=0)) > 20
    assert len(np.unique(positions.reshape(-1, 3), axis=0)) > 5


def test_files_are_written_with_what_they_show(chance: Make, tmp_path: Path) -> None:
    model = chance().model
    assert [file.name for file, _ in write_embeddings(model, tmp_path / "few")] == ["filters.png", "positions.png"]
    written = write_embeddings(model, tmp_path / "all", arrays=True)
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == sorted(file.name for file, _ in written)
    with np.load(tmp_path / "all" / "embeddings.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["positions"], position_similarity(model))
        assert arrays["filters"].shape == (16, 8, 8, 3)
    for name in ("filters.png", "positions.png"):
        with Image.open(tmp_path / "all" / name) as image:
            assert image.format == "PNG"
