"""`corolla demo`: the whole main job, in a folder of its own, with real flowers or without."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from corolla.cli import demo
from corolla.cli.demo import Hurried, choose_data, reachable, training_minutes
from corolla.data import flowers, sources
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.painted import dataset
from corolla.progress import Progress
from corolla.text import decimals_of
from corolla.training import recipes
from corolla.training.recipe import Preset, Recipe


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the photographs: five classes of colored noise, where `COROLLA_DATA` says."""
    dice = random.Random(0)
    for hue, name in enumerate(flowers.CLASSES):
        (tmp_path / "photos" / "flower_photos" / name).mkdir(parents=True)
        for number in range(8):
            noise = bytes(dice.randrange(256) for _ in range(16 * 16))
            shade = Image.frombytes("L", (16, 16), noise)
            image = Image.merge("HSV", (Image.new("L", (16, 16), hue * 50), Image.new("L", (16, 16), 200), shade))
            image.convert("RGB").save(tmp_path / "photos" / "flower_photos" / name / f"{number}.png")
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path / "photos"))
    return tmp_path / "photos"


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `scratch` a matter of seconds whatever time it is given."""
    recipe = Recipe(name="scratch", model="vit_pico_patch8_16", image_size=16, epochs=1, batch_size=10)
    preset = Preset(recipe.model, recipe.image_size, recipe.progressive_resizing, 0)
    monkeypatch.setitem(recipes.RECIPES, "scratch", recipes.NamedRecipe(recipe, (preset,), 2))


@pytest.mark.usefixtures("photos", "small_recipe")
def test_the_whole_demo(corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").touch()
    said = corolla("demo", "--minutes", 2)
    assert said.status == 0, said.err
    run = Path("demo-2") / "run"
    assert list((tmp_path / "demo").iterdir()) == [tmp_path / "demo" / "mine"]
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert f"{figures['accuracy']:.{decimals_of(figures['n'])}%}" in said.out
    for command in ("train flowers --out demo-2/run --minutes 1.", "evaluate demo-2/run", "predict demo-2/run"):
        assert f"$ corolla {command}" in said.out
    assert sum(line.endswith("%") and "flower_photos" in line for line in said.out.splitlines()) == figures["n"]
    with Image.open("demo-2/predictions.png") as grid:
        assert grid.format == "PNG"
    end = said.out[said.out.index("Done in") :]
    for place in (run / "report.html", run / "README.md", Path("demo-2/predictions.png")):
        assert place.is_file()
        assert str(place) in end
    assert "corolla train IMAGES --out" in end


@pytest.mark.parametrize(
    ("minutes", "spent", "training"),
    [(5, 48, 4.0), (5, 0, 4.8), (2, 18, 1.5), (2, 100, 0.67), (4.5, 3600, 1.5)],  # 12 s are for the predictions
)
def test_the_minutes_are_those_of_everything(minutes: float, spent: float, training: float) -> None:
    assert training_minutes(minutes, spent) == training


def test_minutes_that_not_even_the_images_fit_in_are_refused_at_once(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = corolla("demo", "--minutes", 0.1)
    assert said.status == 2
    assert "--minutes" in said.err
    assert "greater than or equal to 2" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_was_stopped_while_painting_leaves_nothing(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COROLLA_DATA", raising=False)
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(flowers, "URL", "http://127.0.0.1:1/flower_photos.tgz")
    monkeypatch.setattr(sources, "PAINTED_COUNT", 20)
    paint, painted = dataset.jpeg, 0

    def broken_off(kind: str, seed: int, size: int) -> bytes:
        nonlocal painted
        painted += 1
        if painted == 10:
            raise KeyboardInterrupt
        return paint(kind, seed, size)

    monkeypatch.setattr(dataset, "jpeg", broken_off)
    said = corolla("demo", "--quiet")
    assert said.status == 130
    assert said.err == "corolla: stopped\n"
    assert said.out == ""
    assert not (tmp_path / "demo").exists()
    assert list((tmp_path / "cache").iterdir()) == []

    for _ in range(2):  # painted from the beginning, and then kept
        assert choose_data(Progress()) == "painted"
        assert painted == 10 + 20
    assert len(load_data("painted").examples) == 20


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.usefixtures("photos")
def test_flowers_that_are_there_are_taken() -> None:
    notes = Notes()
    assert choose_data(notes) == "flowers"
    assert notes.notes == []


def test_without_flowers_it_says_so_and_paints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COROLLA_DATA", raising=False)
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(flowers, "URL", "http://127.0.0.1:1/flower_photos.tgz")
    monkeypatch.setattr(sources, "PAINTED_COUNT", 15)
    notes = Notes()
    assert choose_data(notes) == "painted"
    assert len(notes.notes) == 1
    assert "painted" in notes.notes[0]
    assert len(list((tmp_path / "cache").rglob("*.jpg"))) == 15


def test_an_unreachable_server_is_known_at_once() -> None:
    assert not reachable("http://127.0.0.1:1/x")
    assert not reachable("nonsense")


def test_a_download_that_drags_on_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=lambda: now))  # the others' clock goes on

    def fetch(per_second: int) -> None:
        nonlocal now
        tell = Hurried(Progress())
        for second in range(20):
            now += 1
            tell("downloading", 50_000_000 + second * per_second, 229_000_000)
        tell("unpacking", 1, 3670)

    fetch(10_000_000)
    with pytest.raises(CorollaError, match="too long"):
        fetch(1_000_000)
