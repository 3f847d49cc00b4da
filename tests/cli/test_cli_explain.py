"""`corolla explain` and `corolla predict --explain`: overlays, a sheet, arrays, and what is refused."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import corolla as api
from corolla.cli import explain as module
from corolla.cli.overlays import safe_name
from corolla.explanations import DEFAULT
from corolla.explanations.maps import METHODS


@pytest.fixture
def mixed(images: Path, tmp_path: Path) -> Path:
    """A folder with two images, one of them in a folder below, and a file that is none."""
    folder = tmp_path / "holiday photos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(images / "red" / "00 é.png", folder / "rosé in May.png")
    shutil.copy(images / "grün" / "00 é.png", folder / "below" / "rosé in May.png")
    (folder / "a letter.jpg").write_text("no image")
    return folder


def test_files_of_every_method_lie_where_json_says(
    corolla: Callable, trained: Path, mixed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "why"
    said = corolla("explain", trained, mixed, "--out", out, "--method", "all", "--arrays", "--json", "--quiet")
    assert said.status == 0
    bad, *good = json.loads(said.out)
    assert bad == {"path": str(mixed / "a letter.jpg"), "error": "not an image in a known format"}
    model = api.load(trained)
    for answer in good:
        expected = model.predict(answer["path"])
        assert answer["label"] == expected.label
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)
        assert set(answer["files"]) == {*METHODS, "heads", "arrays"}
        for name, file in answer["files"].items():
            if name != "arrays":
                with Image.open(file) as image:
                    assert image.format == "PNG"
                    assert image.size == (16, 16) or name == "heads"
        with np.load(answer["files"]["arrays"], allow_pickle=False) as arrays:
            assert set(arrays) == {*METHODS, "heads", "pixels"}
            assert arrays["pixels"].shape == (16, 16, 3)
            assert arrays["heads"].shape == (3, 2, 2)
            for method in METHODS:
                alone = api.explain(model, answer["path"], method).map
                np.testing.assert_allclose(arrays[method], alone, rtol=1e-4, atol=1e-6)
    assert sorted(file.name for file in out.iterdir()) == sorted(
        [Path(file).name for answer in good for file in answer["files"].values()]
        + ["embeddings.npz", "filters.png", "positions.png", "sheet.png"]
    )


def test_the_default_method_is_told_line_by_line(corolla: Callable, trained: Path, mixed: Path, tmp_path: Path) -> None:
    said = corolla("explain", trained, mixed, "--out", tmp_path / "why")
    assert said.status == 0
    overlays = sorted((tmp_path / "why").glob(f"*-{DEFAULT}.png"))
    assert [file.name[:2] for file in overlays] == ["2-", "3-"]  # the first is no image
    for line, file in zip(said.out.splitlines(), overlays, strict=True):
        assert line.endswith(str(file))
        assert "%" in line
    assert "cannot read" in said.err
    assert "principal components of its 8 x 8 patch filters" in said.err
    with Image.open(tmp_path / "why" / "sheet.png") as sheet:
        assert sheet.height > sheet.width > 400  # two images beside their overlays


def test_another_class_can_be_asked_for(corolla: Callable, trained: Path, images: Path, tmp_path: Path) -> None:
    image = images / "red" / "00 é.png"
    chances = dict(api.load(trained).predict(image).top)
    maps = []
    for label, chance in chances.items():
        out = tmp_path / label
        said = corolla("explain", trained, image, "--out", out, "--label", label, "--arrays", "--json", "--quiet")
        [answer] = json.loads(said.out)
        assert (answer["label"], answer["probability"]) == (label, pytest.approx(chance, abs=1e-6))
        with np.load(answer["files"]["arrays"]) as arrays:
            maps.append(arrays[DEFAULT])
    assert not np.array_equal(maps[0], maps[1])
    assert "no class 'tulip'" in corolla("explain", trained, image, "--out", tmp_path / "x", "--label", "tulip").line
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_over(corolla: Callable, trained: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    image = images / "red" / "00 é.png"
    for words in (["explain", trained, image, "--out"], ["predict", trained, image, "--explain"]):
        assert "is not an empty folder" in corolla(*words, tmp_path).line
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jpg"], "cannot read nowhere.jpg: no such file"),
        (["nowhere.jpg", "nowhere2.jpg"], "none of the 2 images"),
        (["x.jpg", "--method", "saliency"], "saliency"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_explained(
    words: list[str], said: str, corolla: Callable, trained: Path, tmp_path: Path
) -> None:
    ended = corolla("explain", trained, *words, "--out", tmp_path / "why", "--quiet")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err.splitlines()[-1]
    assert not (tmp_path / "why").exists()


def test_predict_explains_what_it_answered(corolla: Callable, trained: Path, mixed: Path, tmp_path: Path) -> None:
    plain = corolla("predict", trained, mixed, "--json", "--quiet")
    said = corolla("predict", trained, mixed, "--json", "--quiet", "--explain", tmp_path / "why")
    assert (said.status, said.out) == (0, plain.out)
    names = sorted(file.name for file in (tmp_path / "why").iterdir())
    assert names == [f"1-rosé_in_May-{DEFAULT}.png", f"2-rosé_in_May-{DEFAULT}.png"]


def test_an_image_on_standard_input(
    corolla: Callable, trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = (images / "red" / "00 é.png").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert corolla("explain", trained, "-", "--out", tmp_path / "why").status == 0
    assert (tmp_path / "why" / f"1-image-{DEFAULT}.png").is_file()


def test_of_many_images_the_first_are_on_the_sheet(
    corolla: Callable, trained: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ON_THE_SHEET", 1)
    folder = images / "red"
    assert corolla("explain", trained, folder, "--out", tmp_path / "why", "--quiet").status == 0
    assert len(list((tmp_path / "why").glob(f"*-{DEFAULT}.png"))) == len(list(folder.iterdir()))
    with Image.open(tmp_path / "why" / "sheet.png") as sheet:
        assert sheet.width == pytest.approx((2 * 2.3 + 0.3) * 110, abs=2)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photos/my rose.final.jpg", "my_rose.final"),
        ("https://example.org/a/rose.jpg?size=<1>", "rose"),
        ("https://example.org/?q=1/2:3", "2_3"),
        ("-", "image"),
        ("...", "image"),
        ("\udcff\n\x1b[31m.png", "31m"),
        ("向日葵.png", "向日葵"),
        ("x" * 300 + ".png", "x" * 40),
    ],
)
def test_names_of_files_are_safe_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe
