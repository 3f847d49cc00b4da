"""Class folders that are no classes, and files that stand for an image that was not there: a hint for each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from corolla.audit.concerns import concerns, counts
from corolla.audit.run_audit import audit
from corolla.data.hints import class_hints, hints, named_like_placeholder, no_class, spelled_alike
from corolla.data.sources import load_data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BACKGROUND_Google", True), ("background", True), ("none", True), ("None", True), ("unknown", True),
        ("un-labeled", True), ("unlabeled", True), ("trash", True), ("ipynb_checkpoints", True), ("99_others", True),
        ("New folder (2)", True), ("_tmp", True),
        ("backgammon", False), ("nonedible", False), ("mother", False), ("unknown_soldier", False), ("rose", False),
        ("template", False), ("miscanthus", False), ("junkers", False), ("notumor", False),
    ],
)  # fmt: skip
def test_names_of_classes(name: str, expected: bool) -> None:
    assert no_class(name) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ants/imageNotFound.gif", True), ("a/image_not_available.png", True), ("a/no-photo.jpg", True),
        ("a/noimage.jpg", True), ("a/placeholder (3).png", True), ("a/default image.png", True), ("a/404.jpg", True),
        ("a/missing_img.png", True), ("a/unavailable.jpg", True), ("a/dummy.png", True), ("a/coming_soon.jpg", True),
        ("notfound/rose.jpg", False), ("a/404123.jpg", False), ("a/piano image.jpg", False), ("a/nomad.jpg", False),
        ("a/forget-me-not.jpg", False), ("a/blank wall.jpg", False), ("a/img_0404.jpg", False),
    ],
)  # fmt: skip
def test_names_of_files(path: str, expected: bool) -> None:
    assert named_like_placeholder(path) == expected


def test_names_that_differ_in_their_spelling_only() -> None:
    names = ["Maine Coon", "maine_coon", "MAINE-COON", "Birman", "C", "C++", "cat", "cats"]
    assert spelled_alike(names) == [("MAINE-COON", "Maine Coon", "maine_coon")]
    assert class_hints(["Cat", "cat", "unknown"]) == [
        "class names such as unknown may stand for leftovers; they are trained like any other class, so remove them "
        "if that is not intended",
        "class names differ only in spelling (Cat and cat); they are trained as different classes",
    ]
    assert class_hints(["cat", "dog"]) == []


def photo(seed: int) -> Image.Image:
    """An image of random blobs, a different one for every seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 80), Image.Resampling.BICUBIC)


def not_there(words: str = "image not available") -> Image.Image:
    """A gray image with words on it."""
    image = Image.new("RGB", (200, 200), (204, 204, 204))
    draw = ImageDraw.Draw(image)
    draw.text((40, 145), words, fill=(90, 90, 90))
    draw.rectangle((70, 60, 130, 110), outline=(90, 90, 90), width=6)
    return image


@pytest.fixture
def insects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Ants and bees, and files that are given by their paths."""
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))

    def make(**extra: Image.Image) -> Path:
        for number, name in enumerate(("ants", "bees")):
            (tmp_path / "data" / name).mkdir(parents=True)
            for n in range(30):
                photo(100 * number + n).save(tmp_path / "data" / name / f"{n}.png")
        for path, image in extra.items():
            (tmp_path / "data" / path).parent.mkdir(exist_ok=True)
            image.save(tmp_path / "data" / path)
        return tmp_path / "data"

    return make


def test_a_placeholder_gets_a_hint_for_each_reason(insects: Callable[..., Path]) -> None:
    twin = photo(7000)
    source = insects(
        **{
            "ants/imageNotFound.gif": photo(5000),
            "bees/17.jpg": not_there(),
            "bees/a.png": twin, "bees/b.png": twin, "ants/c.png": twin,
        }
    )  # fmt: skip
    found = audit(source)
    assert [(image.path, why) for image, why in found.odd("placeholder")] == [
        ("ants/c.png", "the same file 3 times"),
        ("ants/imageNotFound.gif", "by its name"),
        ("bees/17.jpg", found.odd("placeholder")[2][1]),
        ("bees/a.png", "the same file 3 times"),
        ("bees/b.png", "the same file 3 times"),
    ]
    assert found.odd("placeholder")[2][1].endswith("% of it is one color")
    assert [each.found for each in counts(found) if each.what == "Likely placeholders"] == ["5"]
    assert "5\N{NO-BREAK SPACE}images may be a placeholder for a missing one, such as ants/c.png (the same file 3" in (
        " ".join(concerns(found))
    )
    assert {row["path"] for row in found.to_json()["odd"]["placeholder"]} == {
        image.path for image, _ in found.odd("placeholder")
    }


def test_many_things_on_a_white_ground_are_no_placeholders(insects: Callable[..., Path]) -> None:
    some = {f"bees/{n}.jpg": not_there(f"drawing {n * 7919}") for n in range(100, 108)}
    assert audit(insects(**some)).odd("placeholder") == []


def test_a_training_and_an_audit_say_it(insects: Callable[..., Path]) -> None:
    more = {f"BACKGROUND_Google/{n}.png": photo(9000 + n) for n in range(8)}
    source = insects(**more, **{"ants/imageNotFound.gif": photo(5000)})
    assert hints(load_data(source)) == [
        "class names such as BACKGROUND_Google may stand for leftovers; they are trained like any other class, so "
        "remove them if that is not intended",
        "1 file is named like a placeholder for a missing image (ants/imageNotFound.gif); check and remove such files",
    ]
    assert any(said.startswith("Class names such as BACKGROUND_Google may stand") for said in concerns(audit(source)))


def test_an_audit_says_what_has_no_class_and_what_is_dark(insects: Callable[..., Path]) -> None:
    source = insects()
    Image.fromarray(np.arange(4000, dtype=np.uint16).reshape(50, 80)).save(source / "ants" / "deep.png")
    photo(1).save(source / "loose.png")
    said = concerns(audit(source))
    assert any(line.startswith("1 image of 61 holds 16 bits per channel") and line.endswith(".") for line in said)
    assert any("1\N{NO-BREAK SPACE}file has no usable label, such as loose.png" in line for line in said)
