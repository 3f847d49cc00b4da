"""Overlays: the right size, bright where the map is large, and PNGs that open."""

import io

import numpy as np
import pytest
from PIL import Image

from corolla.explanations.overlay import GAP, STRENGTH, colored, heat, overlay, png, scaled, tiled

PIXELS = np.full((32, 48, 3), 120, np.uint8)


def brightness(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), np.float32)


@pytest.mark.parametrize("place", [(0, 0), (3, 5), (1, 2)])
def test_it_is_brightest_at_the_patch_that_counts_most(place: tuple[int, int]) -> None:
    values = np.zeros((4, 6), np.float32)
    values[place] = 0.02  # a map's scale is its own
    drawn = brightness(overlay(PIXELS, values))
    assert drawn.shape == (32, 48)
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (row // 8, column // 8) == place
    assert drawn.max() - drawn.min() > 80


def test_the_image_shines_through_and_color_belongs_to_the_map() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (32, 48, 3), np.uint8)
    drawn = np.asarray(overlay(pixels, np.zeros((4, 6), np.float32)))
    assert (
        np.corrcoef(brightness(Image.fromarray(pixels)).ravel(), brightness(Image.fromarray(drawn)).ravel())[0, 1]
        > 0.99
    )
    assert np.ptp(drawn.astype(int), axis=2).max() <= 4  # gray under the darkest color


def test_maps_of_equal_values_are_dark_all_over() -> None:
    for value in (0.0, 3.0, -1.0):
        assert not scaled(np.full((2, 2), value, np.float32)).any()
        assert np.ptp(brightness(overlay(PIXELS, np.full((2, 3), value, np.float32)))) == 0


def test_colors_grow_brighter_in_even_steps() -> None:
    steps = brightness(Image.fromarray(colored(np.linspace(0, 1, 11, dtype=np.float32)[None])))[0]
    assert (np.diff(steps) > 8).all()


def test_tiles_stand_in_their_places_and_are_enlarged_by_a_whole_number() -> None:
    tiles = np.zeros((2, 3, 4, 5, 3), np.uint8)
    tiles[1, 2] = (200, 0, 0)
    drawn = tiled(tiles, side=100)
    width, height = 3 * (5 + GAP) + GAP, 2 * (4 + GAP) + GAP
    assert drawn.size == (width * 5, height * 5)
    inside = (np.asarray(drawn) == (200, 0, 0)).all(axis=2)
    assert inside.sum() == 4 * 5 * 25
    assert inside[-2 * 5 :, -2 * 5 :].any()
    assert tiled(np.zeros((2, 2, 90, 90, 3), np.uint8), side=100).width == 2 * (90 + GAP) + GAP


def test_a_png_opens_again() -> None:
    drawn = overlay(PIXELS, np.eye(3, dtype=np.float32))
    with Image.open(io.BytesIO(png(drawn))) as opened:
        assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", (48, 32))
        assert np.array_equal(np.asarray(opened), np.asarray(drawn))


def test_heat_is_the_map_alone_and_overlay_its_blend_with_the_image_in_gray() -> None:
    values = np.eye(4, dtype=np.float32)
    alone = np.asarray(heat(values, 32, 48))
    assert alone.shape == (32, 48, 3)
    black = np.asarray(overlay(np.zeros((32, 48, 3), np.uint8), values))
    assert np.abs(black - STRENGTH * alone).max() <= 1
