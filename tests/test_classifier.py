"""One preprocessing everywhere: what `predict` answers is what `evaluate` counts."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import corolla
from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.precision import Precision
from corolla.predictor import BATCH
from corolla.preprocessing import Preprocessing
from corolla.run import Config, Run

CLASSES = ("bright", "dark", "red")


def make_image(seed: int, size: tuple[int, int] = (30, 40)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with random weights that answers differently from image to image."""
    torch.manual_seed(0)
    shape = ViTConfig(3, (16, 16), 8, 32, 2, 2, 64, global_pool="avg", pos_embed="sincos", stem=(8, 16))
    model, run = ViT(shape), Run(tmp_path_factory.mktemp("run"))
    torch.nn.init.normal_(model.head.weight, std=3)
    run.save_model(model)
    run.save_config(
        Config("vit_test", shape, CLASSES, Preprocessing((16, 16)), {"hflip_tta": True}, {"root": "."}, {}, {})
    )
    return run


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More images than one batch, of many shapes, in class folders."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(2 * BATCH + 11):
        folder = root / CLASSES[number % 3]
        folder.mkdir(exist_ok=True)
        shape = (12 + number % 7 * 9, 12 + number % 5 * 11)
        make_image(number, shape).save(folder / f"photo {number}.png")
    return root


def test_predicting_every_image_gives_exactly_the_accuracy_of_evaluate(run: Run, photos: Path) -> None:
    evaluation = corolla.evaluate(run.folder, photos)
    classifier = corolla.load(str(run.folder))
    paths = sorted(photos.rglob("*.png"))
    right = [classifier.predict(path).label == path.parent.name for path in paths]
    assert evaluation.n == len(paths)
    assert evaluation.accuracy == sum(right) / len(right)
    assert 0 < evaluation.accuracy < 1


def test_every_way_to_hand_over_an_image_gives_the_same_answer(run: Run, photos: Path) -> None:
    classifier = Classifier.load(run.folder)
    path = next(photos.rglob("*.png"))
    expected = classifier.predict(path)
    for same in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), Image.open(path)):
        assert classifier.predict(same) == expected
    assert json.dumps(expected.top)
    assert sum(chance for _, chance in expected.top) == pytest.approx(1)
    assert [chance for _, chance in expected.top] == sorted((c for _, c in expected.top), reverse=True)


def test_neighbors_in_a_batch_do_not_change_an_answer(run: Run, photos: Path) -> None:
    classifier = Classifier.load(run.folder)
    paths = sorted(photos.rglob("*.png"))
    together = classifier.predict_proba(paths)
    alone = np.concatenate([classifier.predict_proba([path]) for path in paths[:5]])
    np.testing.assert_allclose(together[:5], alone, rtol=1e-4, atol=1e-6)


def test_an_unreadable_image_is_answered_with_its_reason_and_stops_no_other(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    make_image(1).save(tmp_path / "good.png")
    classifier = Classifier.load(run.folder)
    answers = [answer for _, answer in classifier.iter_outputs([bad, tmp_path / "good.png", bad])]
    assert [isinstance(answer, ImageError) for answer in answers] == [True, False, True]
    with pytest.raises(ImageError):
        classifier.predict(bad)
    with pytest.raises(ImageError):
        classifier.predict(tmp_path / "missing.jpg")


def test_an_image_and_its_mirror_image_get_the_same_answer(run: Run) -> None:
    classifier, image = Classifier.load(run.folder), make_image(3, (24, 24))
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    one, other = classifier.predict_proba([image]), classifier.predict_proba([mirrored])
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_weights_that_are_not_finite_never_answer(run: Run) -> None:
    model, config = run.load_model()
    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    with pytest.raises(CorollaError, match="not finite"):
        Classifier(model, config.preprocessing, CLASSES, flip=True).predict(make_image(0))


HALF, SINGLE = Precision("bf16", "the test asks for it"), Precision("no", "")


@pytest.mark.parametrize("name", ["vit_micro_conv16_96", "vit_tiny_patch16_96"])
def test_bfloat16_answers_as_float32_does(name: str, tmp_path: Path, photos: Path) -> None:
    torch.manual_seed(1)
    model, run = ViT(vit_config(name, 3)), Run(tmp_path / "run")
    torch.nn.init.normal_(model.head.weight, std=0.1)
    run.folder.mkdir()
    run.save_model(model)
    run.save_config(Config(name, model.config, CLASSES, Preprocessing((96, 96)), {}, {"root": "."}, {}, {}))
    exact, quick = (Classifier.load(run.folder, precision=precision) for precision in (SINGLE, HALF))
    assert next(quick.answering.blocks.parameters()).dtype == torch.float32  # of a norm
    assert quick.answering.patch_embed.proj.weight.dtype == torch.bfloat16
    assert quick.model.patch_embed.proj.weight.dtype == torch.float32
    paths = sorted(photos.rglob("*.png"))[:20]
    one, other = (torch.from_numpy(classifier.predict_proba(paths)).log() for classifier in (exact, quick))
    assert not torch.equal(one, other)
    scale = (one - one.mean(dim=1, keepdim=True)).abs().max()  # of the logits, which probabilities leave free by a sum
    assert float((one - other).abs().max() / scale) < 2e-2


def test_stored_matrices_answer_as_autocasts_do(run: Run) -> None:
    loaded = Classifier.load(run.folder, precision=HALF)
    by_autocast = Classifier(loaded.model, loaded.preprocessing, CLASSES, flip=True, precision=HALF)
    images = [make_image(seed) for seed in range(5)]
    assert np.array_equal(loaded.predict_proba(images), by_autocast.predict_proba(images))
