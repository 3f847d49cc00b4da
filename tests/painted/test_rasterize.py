"""The drawing under the painted flowers: sheets without holes, in the right place, the nearest in front."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from corolla.painted.light import Light, normals, shadows
from corolla.painted.rasterize import render
from corolla.painted.surfaces import Floats, Relief, Sheets, across, along, cross, cups, floats, spokes, straps

# no sun, and a sky that leaves the colors of a sheet that faces the viewer as they are
PLAIN = Light(floats([0.0, 0.0, 1.0]), floats([0.0] * 3), floats([4.0 / 3.0] * 3), 0.0)
NOON = Light(floats([0.0, 0.0, 1.0]), floats([1.0] * 3), floats([0.0] * 3), 1.0)
RED, BLUE = floats([1.0, 0.0, 0.0]), floats([0.0, 0.0, 1.0])


def square(color: Floats, half: float = 0.25, z: float = 0.0, relief: Relief | None = None) -> Sheets:
    """A flat square around the middle of the image, facing the viewer."""
    x = 0.5 + half * (2.0 * along(5)[:, None] - 1.0)
    y = 0.5 + half * across(5)[None, :]
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)[None]
    return Sheets(points, color, relief=relief)


def drawn(*sheets: Sheets, size: int = 64) -> NDArray[np.uint8]:
    """What is seen of sheets: (size, size, 4) in red, green, blue and coverage."""
    return np.asarray(render([list(sheets)], (size, size), PLAIN).convert("RGBA"))


def test_a_square_is_drawn_where_it_lies_without_holes() -> None:
    seen = drawn(square(RED))
    assert (seen[17:47, 17:47, 0] > 250).all()
    assert (seen[17:47, 17:47, 1:] == [0, 0, 255]).all()
    assert (seen[:15, :, 3] == 0).all()
    assert (seen[:, 49:, 3] == 0).all()


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearest_sheet_is_in_front(order: int) -> None:
    near, far = square(BLUE, 0.1, z=0.2), square(RED, 0.25, z=0.0)
    seen = drawn(*(near, far)[::order])
    assert seen[32, 32, :3].argmax() == 2
    assert seen[20, 20, :3].argmax() == 0


def test_what_a_relief_cuts_away_is_clear() -> None:
    half = square(RED, relief=lambda t, s: np.where(t > 0.5, 1.0, 0.0) + 0.0 * s)
    seen = drawn(half)
    assert (seen[20:44, 34:46, 3] == 255).all()
    assert (seen[20:44, 18:30, 3] == 0).all()


def test_sheets_outside_the_image_leave_it_empty() -> None:
    away = square(RED).moved(np.eye(3), 1.0, (3.0, -2.0, 0.0))
    assert (drawn(away) == 0).all()
    assert render([], (16, 16), PLAIN).getextrema() == ((0, 0),) * 4


@settings(max_examples=40)
@given(st.floats(0, 6.28), st.floats(-1.2, 1.2), st.floats(0.3, 2.0), st.floats(-2.0, 2.0), st.integers(24, 120))
def test_bent_petals_have_hardly_a_hole(turn: float, tilt: float, width: float, bend: float, size: int) -> None:
    points = straps(floats([turn]), 0.5, 0.2 * width, np.ones(9), elevation=tilt, bend=bend)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    view = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    petal = Sheets(points, RED).moved(view, 0.8, (0.5, 0.5, 0.0))
    covered = drawn(petal, size=size)[..., 3] > 127
    around = covered[:-2, 1:-1] & covered[2:, 1:-1] & covered[1:-1, :-2] & covered[1:-1, 2:]
    holes = around & ~covered[1:-1, 1:-1]
    assert holes.sum() <= 0.01 * covered.sum()


@settings(max_examples=25)
@given(st.floats(0.0, 6.28), st.floats(0.2, 1.4))
def test_normals_are_of_length_one_and_face_the_viewer(turn: float, elevation: float) -> None:
    points = floats(straps(spokes(5, turn), 1.0, 0.3, np.ones(6), elevation=elevation, bend=0.4))
    normal = normals(points)
    assert np.allclose(np.linalg.norm(normal, axis=-1), 1.0, atol=1e-3)
    assert (normal[..., 2] >= 0).all()


def test_the_cross_product_is_numpys() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 4, 5, 3))
    assert np.allclose(cross(a, b), np.cross(a, b))


def test_a_sheet_shades_the_one_below_it() -> None:
    above, below = square(RED, 0.1, z=0.5), square(BLUE, 0.3, z=0.0)
    top, bottom = shadows([above, below], NOON)
    assert top.max() == 0.0
    assert bottom[0, 2, 2] == 1.0  # under the middle of the small square
    assert bottom[0, 0, 0] == 0.0


def test_petals_of_a_cup_keep_their_distance_from_the_axis() -> None:
    t = along(7)
    points = cups(spokes(4), np.tile(0.5 + t, (4, 1)), np.tile(t, (4, 1)), np.full((4, 7), 0.6))
    assert np.allclose(np.hypot(points[..., 0], points[..., 1]), (0.5 + t)[None, :, None], atol=1e-5)
    assert np.allclose(points[..., 2], t[None, :, None], atol=1e-5)
