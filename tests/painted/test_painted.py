"""The painted flowers: the same for the same seed, all different otherwise, and not to be told apart by color."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from corolla.errors import CorollaError
from corolla.painted import KINDS, paint

COUNT = 250  # images the classifiers are tried on


@pytest.fixture(scope="module")
def sample() -> list[Image.Image]:
    """`COUNT` small images, the kinds taking turns."""
    return [paint(KINDS[number % len(KINDS)], number, 40) for number in range(COUNT)]


def accuracy(rows: NDArray[np.float32]) -> float:
    """What logistic regression reaches on rows of features, cross-validated over the sample."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001 if rows.shape[1] > 100 else 1.0, max_iter=2000))
    return float(cross_val_score(model, rows, np.arange(len(rows)) % len(KINDS), cv=4).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes(kind: str) -> None:
    assert paint(kind, 7, 64).tobytes() == paint(kind, 7, 64).tobytes()


def test_no_two_images_are_equal(sample: list[Image.Image]) -> None:
    assert len({hashlib.sha256(image.tobytes()).digest() for image in sample}) == COUNT


def test_one_seed_gives_each_kind_its_own_image() -> None:
    assert len({paint(kind, 3, 32).resize((32, 32)).tobytes() for kind in KINDS}) == len(KINDS)


@settings(max_examples=30)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**40), size=st.integers(16, 200))
def test_every_kind_paints_at_every_size(kind: str, seed: int, size: int) -> None:
    image = paint(kind, seed, size)
    assert image.mode == "RGB"
    assert max(image.size) == size
    assert min(image.size) >= round(0.75 * size)
    assert np.asarray(image).std() > 3  # something is on it


def test_another_size_shows_the_same_scene() -> None:
    likeness = []
    for seed in range(8):
        small, large = paint("rose", seed, 64), paint("rose", seed, 160)
        shrunk = large.resize(small.size, Image.Resampling.BOX)
        likeness.append(np.corrcoef(np.asarray(small).ravel(), np.asarray(shrunk).ravel())[0, 1])
    assert np.median(likeness) > 0.9


def test_shapes_of_images_vary(sample: list[Image.Image]) -> None:
    ratios = [image.width / image.height for image in sample]
    assert min(ratios) < 0.85
    assert max(ratios) > 1.15


def test_pixels_do_not_give_the_kind_to_a_linear_classifier(sample: list[Image.Image]) -> None:
    rows = np.stack([np.asarray(image.resize((32, 32)), np.float32).ravel() for image in sample])
    assert accuracy(rows) < 0.6


def test_colors_do_not_give_the_kind(sample: list[Image.Image]) -> None:
    pixels = [np.asarray(image, np.float32).reshape(-1, 3) for image in sample]
    rows = np.stack([np.concatenate([colors.mean(axis=0), colors.std(axis=0)]) for colors in pixels])
    assert accuracy(rows) < 0.45


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orchid", 0, 64), "daisy, dandelion, rose, sunflower, tulip"),
        (("rose", -1, 64), "seed is -1"),
        (("rose", 0, 15), "16 to 1024"),
        (("rose", 0, 5000), "16 to 1024"),
    ],
)
def test_what_cannot_be_painted_is_said_in_one_line(arguments: tuple[str, int, int], says: str) -> None:
    with pytest.raises(CorollaError, match=says) as refusal:
        paint(*arguments)
    assert "\n" not in str(refusal.value)
