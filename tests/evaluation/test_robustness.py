"""Corruptions do what their names say, more of it with each severity, and the same again for the same seed."""

import numpy as np
import pytest

from corolla.evaluation.robustness import CORRUPTIONS, SEVERITIES, Corruption, Pixels, Robustness, corrupted, rotate
from corolla.painted import paint_dataset


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    from PIL import Image

    root = tmp_path_factory.mktemp("painted")
    paint_dataset(root, 5, size=96)
    with Image.open(sorted(root.rglob("*.jpg"))[2]) as opened:
        return np.asarray(opened.convert("RGB"))


def test_every_kind_in_every_severity_keeps_shape_and_type(image: Pixels) -> None:
    made = list(corrupted(image, 3))
    assert [(name, severity) for name, severity, _ in made] == [
        (kind.name, severity) for kind in CORRUPTIONS for severity in SEVERITIES
    ]
    assert all(changed.shape == image.shape and changed.dtype == np.uint8 for _, _, changed in made)


@pytest.mark.parametrize("kind", [kind for kind in CORRUPTIONS if kind.apply is not rotate], ids=lambda kind: kind.name)
def test_each_severity_is_further_from_the_image_than_the_one_before(kind: Corruption, image: Pixels) -> None:
    away = [
        float(np.abs(kind.apply(image, strength, np.random.default_rng(0)).astype(float) - image).mean())
        for strength in kind.strengths
    ]
    assert away[0] > 0.5
    assert sorted(away) == away


def test_a_quarter_turn_is_one(image: Pixels) -> None:
    square = image[:78, :78]
    turned = rotate(square, 90.0, np.random.default_rng(0)).astype(float)
    distances = [np.abs(turned - np.rot90(square, turns)).mean() for turns in range(4)]
    assert min(distances) < 1.0
    assert int(np.argmin(distances)) in (1, 3)


def test_the_same_seed_gives_the_same_pixels_and_another_one_others(image: Pixels) -> None:
    def noisy(seed: int) -> list[Pixels]:
        return [changed for name, _, changed in corrupted(image, seed) if name == "noise"]

    assert all((one == other).all() for one, other in zip(noisy(1), noisy(1), strict=True))
    assert not any((one == other).all() for one, other in zip(noisy(1), noisy(2), strict=True))


def test_the_figures_by_hand() -> None:
    found = Robustness(10, 9, {kind.name: (8, 6, 4, 2) for kind in CORRUPTIONS})
    assert found.accuracy("blur") == (0.8, 0.6, 0.4, 0.2)
    assert found.mean == pytest.approx(0.5)
    told = found.to_json()
    assert told["untouched"] == 0.9
    assert told["corruptions"]["JPEG"]["strengths"] == [40, 20, 10, 5]
