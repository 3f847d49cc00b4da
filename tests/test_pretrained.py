"""What comes with corolla answers at once, and begins a training."""

from pathlib import Path

import pytest

import corolla
from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.pretrained import NAMES, run_folder
from corolla.run import Run
from corolla.weights import load_weights

MOST = 12_000_000  # bytes


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_run_is_small_whole_and_says_where_it_comes_from(name: str) -> None:
    run = Run(run_folder(name))
    names = {file.name for file in run.folder.iterdir()}
    assert names == {"README.md", "calibration.safetensors", "config.json", "model.safetensors"}
    assert sum(file.stat().st_size for file in run.folder.iterdir()) <= MOST
    config, card = run.load_config(), run.card.read_text(encoding="utf-8")
    assert "/" not in config.data["source"]
    assert config.data["root"] == ""
    for word in ("corolla train", "Attribution 2.0", "photographer", "95&nbsp;% interval"):
        assert word in card


def test_a_run_of_that_name_on_the_disk_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()  # images, perhaps
    assert run_folder("flowers") != Path("flowers")
    (tmp_path / "flowers" / "config.json").write_text("{}")
    assert run_folder("flowers") == Path("flowers")


def test_flowers_is_as_good_as_its_card_says(flower_photos: Path) -> None:
    """On a fifth of the test split: the share named right lies where the whole split's figure allows."""
    manifest = load_data(flower_photos / "splits.csv")
    few = Manifest(manifest.root, manifest.split("test")[::5], ())
    classifier = corolla.load("flowers")
    right = [classifier.predict(few.locate(example)).label == example.label for example in few.examples]
    assert len(right) > 100
    assert sum(right) / len(right) >= 0.82  # three standard deviations below 90 %


def test_flowers_begins_a_training(swatches: Path, tmp_path: Path) -> None:
    weights = load_weights("flowers")
    assert weights.classes == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    run = corolla.train(swatches, tmp_path / "run", weights="flowers", recipe="probe", workers=0, device="cpu")
    assert run.load_config().classes == ("blue", "green", "red")
    assert run.load_config().preprocessing == weights.preprocessing
    assert corolla.evaluate(run.folder).accuracy >= 0.8
