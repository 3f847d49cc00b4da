"""How many images a calibration looks at, and that it looks at each of them once."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from corolla.checksummed import load_sealed
from corolla.classifier import Classifier
from corolla.data.manifest import SPLITS, Example, Manifest
from corolla.evaluation.calibrating import amount_of, calibrate, some
from corolla.uncertainty.outliers import OUTLIERS
from shapes import build_chance


def listed(classes: int, **counts: int) -> Manifest:
    """A manifest of so many images in each split, evenly of so many classes; there are no files."""
    names = [f"{number:03}" for number in range(classes)]
    examples = [
        Example(f"{split}/{number}.png", names[number % classes], split)
        for split in SPLITS
        for number in range(counts.get(split, 0))
    ]
    return Manifest(Path("nowhere"), tuple(examples))


def of_swatches(swatches: Path) -> Manifest:
    """Thirty for training, thirty for validation, of the three classes that `build_chance` knows."""
    names = dict(zip(("blue", "green", "red"), "abc", strict=True))
    files = sorted(swatches.glob("*/*.png"))
    examples = [
        Example(file.relative_to(swatches).as_posix(), names[file.parent.name], ("train", "val")[place % 2])
        for place, file in enumerate(files)
    ]
    return Manifest(swatches, tuple(examples))


@pytest.mark.parametrize(
    ("classes", "train", "val", "passes"),
    [(5, 2558, 555, 555 + 600 + 240), (102, 1020, 1020, 1020 + 612 + 240), (2, 30, 24, 24 + 30 + 4 * 24)],
)
def test_how_many_it_looks_at(classes: int, train: int, val: int, passes: int) -> None:
    assert amount_of(listed(classes, train=train, val=val)).passes == passes


@pytest.mark.parametrize(("classes", "train", "val"), [(5, 2558, 555), (102, 1020, 1020), (3, 900, 20000)])
def test_it_is_thinned_to_what_there_is_time_for(classes: int, train: int, val: int) -> None:
    manifest = listed(classes, train=train, val=val)
    full, least = amount_of(manifest), amount_of(manifest, 0)
    assert least.passes < 800 < full.passes
    assert least.val >= 300
    assert least.train >= 2 * classes
    before = least
    for most in range(least.passes, full.passes + 50, 37):
        amount = amount_of(manifest, most)
        assert most - 10 <= amount.passes <= most or amount == full
        for name in ("val", "train", "damaged"):
            assert getattr(before, name) <= getattr(amount, name) <= getattr(full, name)
        before = amount
    assert amount_of(manifest, full.passes) == full


@pytest.mark.parametrize("most", [None, 60])
def test_every_image_is_read_once_and_answered_for_as_often_as_was_said(
    swatches: Path, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    manifest, classifier = of_swatches(swatches), build_chance()
    read: Counter[object] = Counter()
    seen: list[int] = []
    told: list[tuple[int, int]] = []
    pixels, compute = Classifier.pixels, Classifier.raw_outputs
    monkeypatch.setattr(Classifier, "pixels", lambda self, path: (read.update([path]), pixels(self, path))[1])
    monkeypatch.setattr(Classifier, "raw_outputs", lambda self, rows: (seen.append(len(rows)), compute(self, rows))[1])
    calibration = calibrate(classifier, manifest, lambda _, done, of: told.append((done, of)), most)
    amount = amount_of(manifest, most)
    assert sum(seen) == amount.passes == told[-1][0] == told[-1][1]
    assert set(read.values()) == {1}
    assert len(read) == amount.val + amount.train
    assert (calibration.facts["val"], calibration.facts["train"]) == (amount.val, amount.train)


def test_the_same_numbers_give_the_same_calibration(swatches: Path, tmp_path: Path) -> None:
    kept = []
    for file in (tmp_path / "once", tmp_path / "again"):
        calibrate(build_chance(), of_swatches(swatches), most_passes=100).save(file)
        kept.append(load_sealed(file, "np"))
    (arrays, words), (again, words_again) = kept
    assert words == words_again
    assert arrays.keys() == again.keys()
    assert all(array.tobytes() == again[name].tobytes() for name, array in arrays.items())


def test_outliers_are_made_of_the_validation_images(swatches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, made = of_swatches(swatches), []
    monkeypatch.setitem(OUTLIERS, "negative", lambda pixels, dice: (made.append(pixels), 255 - pixels)[1])
    classifier = build_chance()
    calibrate(classifier, manifest)
    own = [classifier.pixels(manifest.locate(example)) for example in manifest.split("val")]
    np.testing.assert_array_equal(sorted(each.tobytes() for each in made), sorted(each.tobytes() for each in own))


def test_some_of_uneven_classes_hold_each_of_them() -> None:
    examples = [Example(f"{number}", "many", "train") for number in range(90)]
    examples += [Example(f"few {number}", f"few {number}", "train") for number in range(5)]
    examples += [Example(f"half {number}", "half", "train") for number in range(45)]
    chosen = some(examples, 32)
    counts = Counter(example.label for example in chosen)
    assert [counts[f"few {number}"] for number in range(5)] == [1] * 5
    assert counts["many"] == pytest.approx(2 * counts["half"], abs=2)
    assert chosen == some(examples, 32)
    assert list(chosen) == [example for example in examples if example in set(chosen)]
    assert some(examples, 1000) == tuple(examples)
