"""Small images get fine tokens, few images get batches that leave few over."""

from pathlib import Path

import pytest
from PIL import Image

from corolla.data.decoding import sides_of
from corolla.data.manifest import Example, Manifest
from corolla.models.names import vit_config
from corolla.training.recipes import RECIPES
from corolla.training.recipes.scratch import PRESETS, RECIPE
from corolla.training.small_data import (
    LEAST_GRID,
    most_epochs,
    native_side,
    suited_model,
    suited_presets,
    suited_to_few,
)


def images(folder: Path, sizes: list[tuple[int, int]]) -> Manifest:
    folder.mkdir()
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")
    return Manifest(folder, tuple(Example(f"{number}.png", "a", "train") for number in range(len(sizes))))


def test_the_native_side_is_the_median_of_the_shorter_ones(tmp_path: Path) -> None:
    manifest = images(tmp_path / "some", [(32, 40), (50, 30), (300, 200)])
    assert native_side(manifest) == 32
    (tmp_path / "some" / "0.png").write_bytes(b"damaged")
    (tmp_path / "some" / "1.png").unlink()
    assert native_side(manifest) == 200
    (tmp_path / "some" / "2.png").write_bytes(b"")
    assert native_side(manifest) is None


def test_an_image_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    assert sides_of(tmp_path / "a.jpg") == (48, 64)


@pytest.mark.parametrize("name", ["scratch", "distill"])
@pytest.mark.parametrize("side", [8, 28, 32, 64, 96, 120, 160, 240, 2000, None])
def test_no_preset_enlarges_images_or_sees_them_through_few_tokens(name: str, side: int | None) -> None:
    presets = suited_presets(RECIPES[name].presets, side)
    assert presets[0].fewest_views == 0
    assert [preset.fewest_views for preset in presets] == sorted({preset.fewest_views for preset in presets})
    for preset in presets:
        config = vit_config(preset.model, 2, image_size=(preset.image_size, preset.image_size))
        assert min(config.grid(config.image_size)) >= LEAST_GRID
        if preset.image_size < 96:  # and in all of the training
            assert all(
                preset.image_size * share / config.patch_size >= LEAST_GRID for _, share in preset.progressive_resizing
            )
    if side is not None:
        assert max(preset.image_size for preset in presets) <= max(1.25 * side, {8: 32, 28: 32, 64: 64}.get(side, 96))
    if side is None or side >= 240:
        assert presets == RECIPES[name].presets


def test_the_presets_for_32_pixels() -> None:
    presets = suited_presets(PRESETS, 32)
    assert [(preset.model, preset.image_size, preset.fewest_views) for preset in presets] == [
        ("vit_nano_conv4_32", 32, 0),
        ("vit_nano_conv4_32", 32, 30_000),
        ("vit_nano_conv4_32", 32, 70_000),
        ("vit_micro_conv4_32", 32, 150_000),
        ("vit_tiny_conv4_32", 32, 600_000),
        ("vit_small_conv4_32", 32, 4_000_000),
    ]
    # With many views the recipe's own augmentation
    assert [preset.values.get("auto_augment") for preset in presets[:4]] == ["none", "light", "light", None]
    assert [preset.model for preset in suited_presets(PRESETS, 64)][:1] == ["vit_nano_conv8_64"]
    assert suited_presets((), 32) == ()


@pytest.mark.parametrize(
    ("model", "pixels", "suited"),
    [("vit_micro_conv16_160", 32, "vit_micro_conv4_160"), ("vit_micro_conv16_160", 64, "vit_micro_conv8_160"),
     ("vit_tiny_conv16_192", 48, "vit_tiny_conv8_192"), ("vit_micro_conv16_160", 96, "vit_micro_conv16_160"),
     ("vit_micro_conv16_160", 16, "vit_micro_conv4_160"), ("vit_micro_conv16_160", 33, "vit_micro_conv16_160"),
     ("vit_tiny_patch16_224", 32, "vit_tiny_patch16_224"), ("somebody's", 32, "somebody's")],
)  # fmt: skip
def test_a_size_set_by_hand_gets_a_stride_that_suits_it(model: str, pixels: int, suited: str) -> None:
    assert suited_model(model, pixels) == suited


@pytest.mark.parametrize(
    ("count", "batch", "mixing"),
    [(6, 6, 0.2), (20, 20, 0.2), (65, 32, 0.2), (127, 63, 0.2), (202, 50, 0.8), (500, 62, 0.8), (2558, 64, 0.8)],
)
def test_few_images_are_nearly_all_seen_in_every_epoch(count: int, batch: int, mixing: float) -> None:
    recipe = suited_to_few(RECIPE, count)
    assert (recipe.batch_size, recipe.mixup_cutmix_prob) == (batch, mixing)
    assert count - count % recipe.batch_size > 0.95 * count


@pytest.mark.parametrize(("images", "batch", "most"), [(6, 6, 1000), (202, 50, 300), (127, 63, 500), (2558, 64, 300)])
def test_epochs_of_few_steps_may_be_more(images: int, batch: int, most: int) -> None:
    assert most_epochs(300, images, batch) == most
    assert most_epochs(0, images, batch) == 0
