"""The curves as PNG and SVG: drawn for any history, and free of anything that could disturb a page."""

import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.report.curves import best_epoch, curves_svg, draw_curves, series
from corolla.report.drawing import PRINTED

History = list[dict[str, Any]]


def test_the_png_shows_both_panels(history: History, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "curves.png"
    draw_curves(history, path)
    with Image.open(path) as image:
        drawn = image.convert("RGB")
    width, height = drawn.size
    assert width > 2 * height > 1000
    accent = tuple(int(PRINTED.accent[k : k + 2], 16) for k in (1, 3, 5))
    for half in (drawn.crop((0, 0, width // 2, height)), drawn.crop((width // 2, 0, width, height))):
        assert sum(n for n, color in half.getcolors(1 << 24) or [] if color == accent) > 500
    assert [file.name for file in path.parent.iterdir()] == ["curves.png"]


def test_the_best_epoch_is_the_marked_one_or_else_the_highest(history: History) -> None:
    assert best_epoch(history) == 6
    for row in history:
        row["best"] = row["epoch"] in (1, 4)
    assert best_epoch(history) == 4
    bare = [{"epoch": 1, "val_accuracy": 0.5}, {"epoch": 2, "val_accuracy": 0.7}, {"epoch": 3, "val_accuracy": 0.6}]
    assert best_epoch(bare) == 2
    assert best_epoch([]) is None
    assert "best: 81.7\u00a0%, epoch 6" in curves_svg([row | {"best": row["epoch"] == 6} for row in history])[1][1]


def test_a_training_loss_that_holds_a_teachers_parts_gets_a_scale_of_its_own(history: History) -> None:
    taught = [row | {"train_loss": 10 + row["train_loss"]} for row in history]
    assert "training, right scale" in curves_svg(taught)[0][1]
    assert "right scale" not in curves_svg(history)[0][1]


def test_an_epoch_that_was_run_twice_counts_once() -> None:
    rows = [{"epoch": 1, "val_loss": 3}, {"epoch": 2, "val_loss": 2}, {"epoch": 2, "val_loss": 1}]
    assert series(rows, "val_loss") == ([1, 2], [3.0, 1.0])


def test_a_change_of_image_size_is_marked(history: History) -> None:
    for _, drawn in curves_svg(history):
        assert "16\u00a0px" in drawn
        assert "24\u00a0px" in drawn
    same = [row | {"image_size": 16} for row in history]
    assert not any("px<" in drawn for _, drawn in curves_svg(same))


def test_the_svg_takes_its_colors_letters_and_size_from_the_page(history: History) -> None:
    panels = curves_svg(history)
    assert len(panels) == 2
    ids: list[str] = []
    for said, drawn in panels:
        assert said.endswith(".")
        root = ET.fromstring(drawn)
        assert root.tag.endswith("svg")
        assert "viewBox" in root.attrib
        assert "width" not in root.attrib
        assert not re.search(r"#[0-9a-f]{6}|<style|font-family|<!", drawn)
        assert set(re.findall(r"var\(--(\w+)\)", drawn)) >= {"ink", "soft", "line", "accent"}
        own = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        used = re.findall(r'(?:url\(#|href="#)([^)"]+)', drawn)
        assert used
        assert set(used) <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_the_same_history_gives_the_same_drawing(history: History) -> None:
    assert curves_svg(history) == curves_svg(history)


values = st.one_of(st.floats(), st.integers(-5, 50), st.none(), st.text(max_size=3), st.booleans())
KEYS = ("epoch", "image_size", "train_loss", "val_loss", "val_accuracy", "best", "learning_rate")


@settings(max_examples=25)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), values), max_size=4))
def test_any_history_is_drawn(rows: History) -> None:
    for said, drawn in curves_svg(rows):
        assert said
        ET.fromstring(drawn)


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "val_loss": 1.0, "val_accuracy": 0.5}]])
def test_little_history_is_drawn(rows: History, tmp_path: Path) -> None:
    draw_curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert ("no epoch yet" in curves_svg(rows)[0][1]) == (not rows)


def test_drawing_works_outside_the_main_thread(history: History, tmp_path: Path) -> None:
    """Nothing goes through pyplot, whose state and windows belong to the main thread."""
    thread = threading.Thread(target=draw_curves, args=(history, tmp_path / "curves.png"))
    thread.start()
    thread.join()
    assert (tmp_path / "curves.png").is_file()
