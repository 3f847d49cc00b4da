"""The deletion and insertion metrics on a model that is known to look at one patch."""

from collections.abc import Callable

import numpy as np
import pytest

from corolla.classifier import Classifier
from corolla.explanations.deletion import area, blur, center_map, first, mean_color, measure, random_map
from corolla.explanations.maps import METHODS, explain

Make = Callable[..., Classifier]


def oracle(row: int, column: int) -> np.ndarray:
    values = np.zeros((4, 6), np.float32)
    values[row, column] = 1
    return values


def test_the_oracle_is_best_and_its_opposite_worst(finder: Make, scene: Callable) -> None:
    classifier = finder()
    pixels = classifier.read(scene(2, 4))
    maps = [oracle(2, 4), -oracle(2, 4), *(random_map((4, 6), (0, seed)) for seed in range(8))]
    curves = measure(classifier, pixels, maps, "red")
    assert curves.deletion_area[0] < 0.15
    assert curves.insertion_area[0] > 0.85
    assert curves.score.argmax() == 0
    assert curves.score.argmin() == 1
    assert (curves.deletion_area[2:] > curves.deletion_area[0]).sum() >= 7
    assert curves.score[0] > curves.score[2:].mean() + 0.3


def test_every_method_is_as_good_as_the_oracle_on_it(finder: Make, scene: Callable) -> None:
    for classifier in (finder(), finder(global_pool="avg", flip=True)):
        image = scene(1, 2)
        maps = [oracle(1, 2), *(explain(classifier, image, method).map for method in METHODS)]
        curves = measure(classifier, classifier.read(image), maps, "red")
        assert curves.score.min() > curves.score[0] - 0.02


def test_curves_begin_and_end_where_they_should(chance: Make, noise: Callable) -> None:
    classifier = chance("hybrid", flip=True)
    pixels = classifier.read(noise(0))
    maps = [random_map((2, 5), (seed,)) for seed in range(3)]
    curves = measure(classifier, pixels, maps, "b", steps=5)
    np.testing.assert_allclose(curves.shares, [0, 0.2, 0.4, 0.6, 0.8, 1])
    gray = np.broadcast_to(mean_color(classifier), (16, 40, 3)).copy()
    whole, empty, soft = (
        classifier.raw_outputs(each[None]).probabilities[0, 1] for each in (pixels, gray, blur(pixels, 8))
    )
    np.testing.assert_allclose(curves.deletion[:, [0, -1]], [[whole, empty]] * 3, rtol=1e-2)
    np.testing.assert_allclose(curves.insertion[:, [0, -1]], [[soft, whole]] * 3, rtol=1e-2)
    assert len(np.unique(curves.deletion[:, 1].round(6))) > 1  # another order is another curve


def test_more_steps_than_patches_are_as_many_as_patches(chance: Make, noise: Callable) -> None:
    classifier = chance()
    curves = measure(classifier, classifier.read(noise(0)), [center_map((2, 5))], "a", steps=99)
    np.testing.assert_allclose(curves.shares, np.arange(11) / 10)


def test_areas_by_hand() -> None:
    shares = np.array([0, 0.25, 1])
    curves = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(area(shares, curves), [1, 0.125, 0.5])


def test_the_largest_go_first_and_equal_ones_in_order() -> None:
    values = np.array([[0.1, 0.9], [0.9, -1.0]], np.float32)
    assert first(values, 0).sum() == 0
    assert first(values, 1).tolist() == [[False, True], [False, False]]
    assert first(values, 3).tolist() == [[True, True], [True, False]]
    assert first(values, 4).all()


def test_the_mean_color_normalizes_to_almost_nothing(finder: Make) -> None:
    classifier = finder()
    assert classifier.images(mean_color(classifier)[None, None, None]).abs().max() < 0.01


def test_a_blur_keeps_the_light_and_loses_the_detail() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    soft = blur(pixels, 8).astype(float)
    assert soft.shape == (40, 60, 3)
    assert float(soft.mean()) == pytest.approx(float(pixels.mean()), abs=2)
    assert soft.std() < pixels.std() / 8


def test_the_center_is_largest_in_the_middle_and_chance_is_its_seeds() -> None:
    center = center_map((5, 7))
    assert center.argmax() == 2 * 7 + 3
    np.testing.assert_allclose(center, center[::-1, ::-1])
    assert center.min() > 0
    assert np.array_equal(random_map((2, 2), (1, 2)), random_map((2, 2), (1, 2)))
    assert not np.array_equal(random_map((2, 2), (1, 2)), random_map((2, 2), (1, 3)))
