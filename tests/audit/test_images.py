"""What a look at a file sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.audit.images import KINDS, SMALL, look, look_at
from corolla.data.decoding import ImageError
from corolla.progress import Progress


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("red/00.png", set()),
        ("blue/gray.png", {"grayscale"}),
        ("red/flat.png", {"blank"}),
        ("red/tiny.png", {"small"}),
        ("green/long.png", {"long"}),
        ("green/exif.jpg", {"exif"}),
    ],
)
def test_each_flaw_is_of_its_kind_and_of_no_other(flawed: Path, name: str, kinds: set[str]) -> None:
    assert look(flawed / name).oddities().keys() == kinds
    assert kinds <= KINDS.keys()


def test_details_are_told(flawed: Path) -> None:
    assert look(flawed / "red" / "tiny.png").oddities() == {"small": "30 x 20 pixels"}
    assert "points beyond its end" in look(flawed / "green" / "exif.jpg").oddities()["exif"]


def test_the_size_is_the_whole_upright_one(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = look(saved(tmp_path / "a.jpg", Image.effect_noise((1200, 500), 90).convert("RGB"), exif=exif))
    assert (found.width, found.height) == (500, 1200)
    assert found.ratio == pytest.approx(500 / 1200)


def test_compression_makes_no_color_and_a_date_in_a_corner_neither(tmp_path: Path) -> None:
    gray = Image.effect_noise((400, 300), 90).convert("RGB")
    assert look(saved(tmp_path / "a.jpg", gray, quality=40)).gray
    gray.paste((255, 160, 0), (370, 290, 400, 300))
    assert look(saved(tmp_path / "b.jpg", gray)).gray
    gray.paste((255, 160, 0), (300, 200, 400, 300))
    assert not look(saved(tmp_path / "c.jpg", gray)).gray


def test_noise_is_nothing_to_see_and_a_faint_image_is_something(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    flat = Image.fromarray((128 + rng.normal(0, 2, (300, 300, 3))).astype(np.uint8))
    assert look(saved(tmp_path / "a.png", flat)).blank
    faint = flat.copy()
    faint.paste((150, 150, 150), (100, 100, 200, 200))
    assert not look(saved(tmp_path / "b.png", faint)).blank


def test_at_the_edge(tmp_path: Path) -> None:
    assert look(saved(tmp_path / "a.png", Image.effect_noise((SMALL, 2 * SMALL), 90))).oddities().keys() == {
        "grayscale"
    }
    found = look(saved(tmp_path / "b.png", Image.effect_noise((SMALL - 1, 2 * SMALL), 90))).oddities()
    assert found.keys() == {"grayscale", "small", "long"}


def test_order_and_progress(flawed: Path) -> None:
    paths = sorted(flawed.glob("red/*.png")) * 4
    told: list[tuple[int, int]] = []

    class Told(Progress):
        def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
            told.append((done, total))

    assert look_at(paths, Told()) == [look(path) for path in paths]
    assert told[-1] == (len(paths), len(paths))
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        look_at([*paths, flawed / "green" / "broken.jpg"], Progress())
