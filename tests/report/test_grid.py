"""The grid of images: every number of them, every kind of title, and images that are none."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.report.drawing import MISSING, drawable
from corolla.report.grid import EMPTY, MOST, RIGHT, WRONG, default_columns, draw_grid, shortened

RED, BLUE = (200, 30, 20), (20, 40, 200)


def image(color: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def colors(path: Path) -> dict[tuple[int, ...], int]:
    with Image.open(path) as drawn:
        return {color: n for n, color in drawn.convert("RGB").getcolors(1 << 24) or []}


def rgb(color: str) -> tuple[int, ...]:
    return tuple(int(color[k : k + 2], 16) for k in (1, 3, 5))


def test_images_are_shown_whole_from_files_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "ein Bild.png"
    file.write_bytes(image(RED))
    draw_grid([(file, "rose 97 %", None), (image(BLUE, (40, 60)), "tulip 3 %", None)], tmp_path / "grid.png")
    seen = colors(tmp_path / "grid.png")
    side = 236  # dots of a tile, of which an image of 3 to 2 fills two thirds
    assert seen[RED] == pytest.approx(side * side * 2 / 3, rel=0.05)
    assert seen[BLUE] == pytest.approx(side * side * 2 / 3, rel=0.05)
    assert seen[rgb(EMPTY)] > side * side * 0.5


@pytest.mark.parametrize(("good", "color"), [(True, RIGHT), (False, WRONG)])
def test_titles_show_right_and_wrong(tmp_path: Path, good: bool, color: str) -> None:
    draw_grid([(image(BLUE), "tulip 88 %", good)], tmp_path / "known.png")
    draw_grid([(image(BLUE), "tulip 88 %", None)], tmp_path / "unknown.png")
    assert colors(tmp_path / "known.png").get(rgb(color), 0) > 20
    assert rgb(color) not in colors(tmp_path / "unknown.png")


def test_an_image_that_cannot_be_read_leaves_an_empty_tile(tmp_path: Path) -> None:
    draw_grid([(b"no image", "?", None), (tmp_path / "gone.jpg", "?", None)], tmp_path / "grid.png")
    seen = colors(tmp_path / "grid.png")
    assert seen[rgb(EMPTY)] > 2 * 236 * 236 * 0.9
    assert len(seen) > 10  # and the words on it


@pytest.mark.parametrize(
    ("n", "columns", "across", "down"), [(1, None, 1, 1), (5, None, 5, 1), (7, None, 4, 2), (7, 2, 2, 4), (2, 9, 2, 1)]
)
def test_the_grid_has_the_asked_shape(tmp_path: Path, n: int, columns: int | None, across: int, down: int) -> None:
    draw_grid([(image(RED, (8, 8)), "x", None)] * n, tmp_path / "grid.png", columns=columns)
    with Image.open(tmp_path / "grid.png") as drawn:
        assert drawn.width == pytest.approx((across * 2.3 + 0.3) * 110, abs=2)
        assert drawn.height == pytest.approx((down * 2.72 + 0.15) * 110, abs=2)


def test_of_very_many_images_the_first_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corolla.report.grid.MOST", 3)
    draw_grid([(image(RED, (8, 8)), "x", None)] * 3, tmp_path / "all.png")
    draw_grid([(image(RED, (8, 8)), "x", None)] * 9, tmp_path / "some.png")
    with Image.open(tmp_path / "all.png") as everything, Image.open(tmp_path / "some.png") as some:
        assert everything.width == some.width
        assert some.height > everything.height  # the line that tells of the others


def test_no_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        draw_grid([], tmp_path / "grid.png")


def test_the_shape_stays_near_a_square() -> None:
    assert [default_columns(n) for n in (1, 5, 6, 16, 17, 100)] == [1, 5, 4, 4, 5, 10]
    assert default_columns(MOST) * 2.3 * 110 < 2**16  # what Agg can draw


@settings(max_examples=15)
@given(
    title=st.one_of(
        st.text(max_size=80), st.sampled_from(["$x_{$", "$\\frac", "向日葵 🌻 مرحبا", "\u202e\x00", "a" * 5000])
    )
)
def test_any_title_is_drawn(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    path = tmp_path_factory.mktemp("grid") / "grid.png"
    draw_grid([(image(RED, (8, 8)), title, True)], path)
    assert colors(path)[RED] > 50_000


def test_a_long_title_keeps_its_end() -> None:
    cuts = shortened("Taraxacum officinale agg. 43.1 %")
    assert cuts[0] == "Taraxacum officinale agg. 43.1 %"
    assert all(cut.endswith("%") and "…" in cut for cut in cuts[1:-1])
    assert len(cuts[-1]) < 8


def test_what_no_font_has_becomes_a_box() -> None:
    assert drawable("Große  Blume\n✓") == "Große Blume ✓"
    assert drawable("a\U000e0041b") == f"a{MISSING}b"
