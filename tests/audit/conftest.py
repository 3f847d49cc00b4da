"""A folder of images with one of everything that an audit looks for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLORS = {"blue": (30, 40, 220), "green": (30, 180, 40), "red": (220, 40, 30)}


def blobs(seed: int, color: tuple[int, int, int], size: tuple[int, int] = (96, 80)) -> Image.Image:
    """An image with a random structure, in a tint."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    spots = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(spots, Image.new("RGB", size, color), 0.5)


def draw_sound(root: Path, each: int = 10) -> Path:
    """A folder for each of three classes, with nothing wrong in it."""
    for number, (name, color) in enumerate(COLORS.items()):
        (root / name).mkdir(parents=True)
        for place in range(each):
            blobs(100 * number + place, color).save(root / name / f"{place:02}.png")
    return root


def add_flaws(root: Path) -> Path:
    """Add one of every flaw to the images of `draw_sound`."""
    shutil.copy(root / "red" / "00.png", root / "red" / "copy of 00.png")
    shutil.copy(root / "green" / "00.png", root / "blue" / "also green.png")
    with Image.open(root / "red" / "01.png") as image:
        image.resize((48, 40)).resize((84, 70)).save(root / "red" / "smaller 01.jpg", quality=70)
    (root / "green" / "broken.jpg").write_bytes(b"no image")
    blobs(900, COLORS["blue"]).convert("L").save(root / "blue" / "gray.png")
    Image.new("RGB", (90, 90), (200, 10, 10)).save(root / "red" / "flat.png")
    blobs(901, COLORS["red"], (30, 20)).save(root / "red" / "tiny.png")
    blobs(902, COLORS["green"], (210, 100)).save(root / "green" / "long.png")
    exif = Image.Exif()
    exif[0x010F] = "a camera with a long name"
    blobs(903, COLORS["green"]).save(root / "green" / "exif.jpg", exif=exif.tobytes()[:-9])
    return root


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of ten images with nothing wrong; do not write into it."""
    return draw_sound(tmp_path_factory.mktemp("sound") / "images")


@pytest.fixture(scope="session")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one of every flaw; do not write into it."""
    return add_flaws(draw_sound(tmp_path_factory.mktemp("flawed") / "images"))


def table(root: Path, file: Path, split: Callable[[Path], str], notes: dict[str, str] | None = None) -> Path:
    """A table of all files below `root` with a split for each; those in `notes` get none and their note."""
    notes = notes or {}
    lines = ["path,label,split,group,note"]
    for place in sorted(root.rglob("*.*")):
        name = place.relative_to(root).as_posix()
        lines.append(f"{place},{place.parent.name},{'' if name in notes else split(place)},,{notes.get(name, '')}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def split_table(flawed: Path, tmp_path: Path) -> Path:
    """The flawed images as a table: images with an even number for training, the others half validation, half test."""

    def split(place: Path) -> str:
        digits = "".join(character for character in place.stem if character.isdigit())
        return "train" if not digits or int(digits) % 2 == 0 else "val" if int(digits) % 4 == 1 else "test"

    return table(flawed, tmp_path / "splits.csv", split, {"red/copy of 00.png": "a copy"})
