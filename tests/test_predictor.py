"""Whatever a program gives `predict` and `explain`: a run and its exported file take the same, and answer alike."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import corolla
from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.errors import CorollaError
from corolla.export.onnx import with_card
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.predictor import Predictor
from shapes import noises

IMAGES = [Image.fromarray(pixels) for pixels in noises(6, seed=4, size=(30, 50))]


@pytest.fixture(params=["run", "exported file"])
def predictor(
    request: pytest.FixtureRequest, small: Classifier, graph: onnx.ModelProto, card: Callable, tmp_path: Path
) -> Predictor:
    """The same model as what answers, in turn."""
    if request.param == "run":
        return small
    (tmp_path / "model.onnx").write_bytes(with_card(graph, card(small)))
    return OnnxPredictor.load(tmp_path / "model.onnx")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_opened_photo_gets_the_answer_of_its_path(predictor: Predictor, orientation: int, tmp_path: Path) -> None:
    exif, file = Image.Exif(), tmp_path / "phone.jpg"
    exif[0x0112] = orientation
    IMAGES[0].save(file, exif=exif)
    IMAGES[0].save(tmp_path / "plain.jpg")
    expected = predictor.predict(file)
    with Image.open(file) as image:
        assert predictor.predict(image) == expected
    assert (expected == predictor.predict(tmp_path / "plain.jpg")) == (orientation <= 2)  # mirrored: the same


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "I;16", "I", "L", "1"])
def test_an_opened_image_of_any_mode_gets_the_answer_of_its_path(
    predictor: Predictor, mode: str, tmp_path: Path
) -> None:
    if mode == "LAB":
        image = Image.merge("LAB", IMAGES[1].split())
    elif mode.startswith("I"):
        image = Image.fromarray(np.asarray(IMAGES[1].convert("L")).astype(np.uint16 if ";" in mode else np.int32) * 250)
    else:
        image = IMAGES[1].convert(mode)
    image.save(tmp_path / "image.tif")
    expected = predictor.predict(tmp_path / "image.tif")
    assert predictor.predict(image) == expected
    with Image.open(tmp_path / "image.tif") as opened:
        assert opened.mode == mode
        assert predictor.predict(opened) == expected


def test_arrays_and_lists_are_answered(predictor: Predictor, tmp_path: Path) -> None:
    IMAGES[0].save(tmp_path / "image.png")
    content = (tmp_path / "image.png").read_bytes()
    expected = predictor.predict(tmp_path / "image.png", top=2, coverage=0.9)
    assert predictor.predict(np.asarray(IMAGES[0]), top=2, coverage=0.9) == expected
    mixed = [np.asarray(IMAGES[0]), str(tmp_path / "image.png"), content, io.BytesIO(content), IMAGES[0]]
    for several in (mixed, tuple(mixed)):
        answers = predictor.predict(several, top=2, coverage=0.9)
        assert isinstance(answers, list)
        assert [answer.label for answer in answers] == [expected.label] * 5
        for answer in answers:
            assert answer.labels == expected.labels
            assert answer.probability == pytest.approx(expected.probability, abs=1e-6)
    others = predictor.predict(IMAGES)
    assert len({answer.top for answer in others}) == len(IMAGES)  # each has its own
    assert predictor.predict([]) == []
    assert [answer.top for answer in predictor.predict(IMAGES[:1])] == [predictor.predict(IMAGES[0]).top]


def test_images_of_any_series_are_predicted_one_after_the_other(predictor: Predictor, tmp_path: Path) -> None:
    """A generator is read no further than a batch ahead, and what cannot be read has its place."""
    read: list[int] = []

    def images() -> Iterator[object]:
        for number in range(200):
            read.append(number)
            yield IMAGES[number % len(IMAGES)] if number != 3 else tmp_path / "missing.jpg"

    predictions = predictor.predict_iter(images(), top=2)  # type: ignore[arg-type]
    first = next(predictions)
    assert len(read) <= 64
    rest = list(predictions)
    assert len(rest) == 199
    assert isinstance(rest[2], ImageError)
    assert first.label == predictor.predict(IMAGES[0]).label
    proba = predictor.predict_proba(IMAGES)
    assert proba.shape == (len(IMAGES), len(predictor.classes))
    assert [predictor.classes[row.argmax()] for row in proba] == [one.label for one in predictor.predict(IMAGES)]
    assert predictor.predict_proba([]).shape == (0, len(predictor.classes))


def test_what_is_no_image_says_what_may_be_given(predictor: Predictor, tmp_path: Path) -> None:
    for thing in (None, 7, object(), {"a": 1}, [None], (IMAGES[0], [IMAGES[1]])):
        with pytest.raises(
            CorollaError, match=r"is not an image; give a path, bytes, an open file, a Pillow image"
        ) as caught:
            predictor.predict(thing)  # type: ignore[call-overload]
        assert "\n" not in str(caught.value)
    with pytest.raises(CorollaError, match="cannot read image 2 of 3: None is not an image"):
        predictor.predict([IMAGES[0], None, IMAGES[0]])
    with pytest.raises(CorollaError, match=r"cannot read .*missing\.jpg: no such file"):
        predictor.predict([IMAGES[0], tmp_path / "missing.jpg"])
    for ask in (predictor.outputs, predictor.predict_proba, lambda given: list(predictor.iter_outputs(given))):
        with pytest.raises(CorollaError, match=r"images should be a list, not a str; pass \[image\]"):
            ask("photo.jpg")  # type: ignore[operator]


def test_explain_takes_what_predict_takes(small: Classifier) -> None:
    one = corolla.explain(small, IMAGES[0])
    several = corolla.explain(small, [np.asarray(IMAGES[0]), IMAGES[1]])
    assert len(several) == 2
    np.testing.assert_allclose(several[0].map, one.map, atol=1e-5)
    assert not np.allclose(several[1].map, one.map, atol=1e-3)
    with pytest.raises(ImageError, match="cannot read image 2 of 2: None is not an image; give a path"):
        corolla.explain(small, (IMAGES[0], None))


def test_explain_refuses_an_exported_file(
    graph: onnx.ModelProto, card: Callable, small: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(with_card(graph, card(small)))
    with pytest.raises(CorollaError, match="explain needs a run"):
        corolla.explain(corolla.load(tmp_path / "model.onnx"), IMAGES[0])
