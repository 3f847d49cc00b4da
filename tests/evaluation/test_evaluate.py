"""Evaluating a small real run: its own split, other data, and everything that must be refused."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.errors import CorollaError
from corolla.evaluation.evaluate import evaluate, evaluate_split
from corolla.evaluation.robustness import corrupted, measure_robustness
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from corolla.run import Config, Run

COLORS = {"azure": (40, 120, 220), "rosé": (220, 60, 90), "two words": (240, 200, 40)}


def paint(path: Path, color: tuple[int, int, int], seed: int) -> str:
    """A noisy image of one color; its sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-40, 40, (24, 30, 3))
    Image.fromarray((np.array(color) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An untrained but opinionated model beside the images that it was split with."""
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "images"
    examples = []
    for name, color in COLORS.items():
        for place, split in enumerate(["train", "train", "val", "test", "test", "test"]):
            path = f"{name}/{split} {place}.png"
            digest = paint(root / path, color, seed=10 * len(examples) + place)
            examples.append(Example(path, name, split, "", digest))
    manifest = Manifest(root, tuple(examples))
    shape = ViTConfig(3, (16, 16), 8, embed_dim=32, depth=1, num_heads=2, mlp_dim=32, global_pool="avg")
    torch.manual_seed(1)
    model = ViT(shape)
    torch.nn.init.normal_(model.head.weight)
    run = Run(tmp_path / "run")
    run.save_model(model)
    run.save_config(
        Config(
            model="small",
            architecture=shape,
            classes=manifest.classes,
            preprocessing=Preprocessing((16, 16)),
            recipe={"hflip_tta": True},
            data={"source": str(root), "root": str(root), "digest": manifest.digest},
            versions={},
            training={},
        )
    )
    manifest.save(run.manifest_file)
    return run


def test_evaluate_is_predict_over_the_split(run: Run) -> None:
    found = evaluate(run.folder)
    manifest, classifier = run.load_manifest(), Classifier.load(run.folder)
    examples = manifest.split("test")
    assert found.split == "test"
    assert found.root == manifest.root
    assert found.paths == tuple(example.path for example in examples)
    assert found.trained_on == 0
    answers = [classifier.predict(manifest.locate(example)) for example in examples]
    assert [found.classes[k] for k in found.predicted] == [answer.label for answer in answers]
    right = [answer.label == example.label for answer, example in zip(answers, examples, strict=True)]
    assert found.accuracy == sum(right) / len(right)
    assert found.confidence == pytest.approx([answer.probability for answer in answers], abs=1e-6)


def test_training_measures_itself_in_the_same_way(run: Run) -> None:
    found = evaluate_split(Classifier.load(run.folder), run.load_manifest(), "val")
    assert found.to_json() == evaluate(run.folder, split="val").to_json()
    assert found.n == 3


def test_images_that_were_trained_on_are_counted(run: Run) -> None:
    assert evaluate(run.folder, split="train").trained_on == 6
    everything = evaluate(run.folder, run.load_manifest().root)
    assert (everything.split, everything.n, everything.trained_on) == ("all", 18, 6)


def test_progress_is_told(run: Run) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(run.folder, progress=lambda what, done, of: told.append((what, done, of)))
    assert told == [("evaluating", done, 9) for done in range(1, 10)]


def test_other_data_is_matched_by_name_and_may_have_fewer_classes(run: Run, tmp_path: Path) -> None:
    for place in range(4):
        paint(tmp_path / "new" / "two words" / f"{place}.png", COLORS["two words"], 900 + place)
    found = evaluate(run.folder, tmp_path / "new")
    assert (found.split, found.n, found.trained_on) == ("all", 4, 0)
    assert found.classes == ("azure", "rosé", "two words")
    assert found.labels.tolist() == [2, 2, 2, 2]
    assert [figures.n for figures in found.per_class] == [0, 0, 4]


def test_splits_that_other_data_brings_are_used(run: Run, tmp_path: Path) -> None:
    rows = ["path,label,split"]
    for place, split in enumerate(["train", "val", "val"]):
        paint(tmp_path / "new" / f"{place}.png", COLORS["azure"], place)
        rows.append(f"{place}.png,azure,{split}")
    table = tmp_path / "new" / "table.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    assert evaluate(run.folder, table, split="val").paths == ("1.png", "2.png")
    with pytest.raises(CorollaError, match="has no test split; it has train and val"):
        evaluate(run.folder, table)


def test_a_class_the_model_does_not_know_is_refused_with_both_lists(run: Run, tmp_path: Path) -> None:
    for name in ("azure", "thistle"):
        paint(tmp_path / "new" / name / "0.png", (1, 2, 3), 5)
    with pytest.raises(CorollaError) as caught:
        evaluate(run.folder, tmp_path / "new")
    said = str(caught.value)
    assert "does not know thistle" in said
    assert "the data has azure, thistle" in said
    assert "the model predicts azure, rosé, two words" in said
    assert "\n" not in said


def test_images_that_moved_are_missed_in_one_line(run: Run) -> None:
    root = run.load_manifest().root
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(CorollaError, match=r"are not under .*images any more.*corolla evaluate") as caught:
        evaluate(run.folder)
    assert "\n" not in str(caught.value)
    assert evaluate(run.folder, root.with_name("elsewhere")).n == 18


def test_a_changed_or_lost_image_is_named(run: Run) -> None:
    manifest = run.load_manifest()
    second = manifest.locate(manifest.split("test")[1])
    content = second.read_bytes()
    second.write_bytes(content + b"\0")
    with pytest.raises(CorollaError, match=r"test 4\.png has changed since the training"):
        evaluate(run.folder)
    assert evaluate(run.folder, split="val").n == 3
    second.unlink()
    with pytest.raises(CorollaError, match=r"test 4\.png cannot be read any more \(No such file"):
        evaluate(run.folder)


def test_data_without_a_readable_image_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new" / "azure").mkdir(parents=True)
    (tmp_path / "new" / "azure" / "torn.jpg").write_bytes(b"no image")
    with pytest.raises(CorollaError, match=r"no image that can be read; azure/torn\.jpg: not an image"):
        evaluate(run.folder, tmp_path / "new")


def test_an_image_that_cannot_be_read_is_left_out(run: Run, tmp_path: Path) -> None:
    paint(tmp_path / "new" / "azure" / "good.png", (1, 2, 3), 5)
    (tmp_path / "new" / "azure" / "torn.jpg").write_bytes(b"no image")
    assert evaluate(run.folder, tmp_path / "new").paths == ("azure/good.png",)


def test_groups_that_the_data_brings_are_kept(run: Run, tmp_path: Path) -> None:
    rows = ["path,label,group"]
    for place, group in enumerate(["anna", "bea", "anna", ""]):
        paint(tmp_path / "new" / f"{place}.png", COLORS["azure"], place)
        rows.append(f"{place}.png,azure,{group}")
    table = tmp_path / "new" / "table.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    found = evaluate(run.folder, table)
    assert found.groups == ("anna", "bea", "anna", "")
    assert [(figures.group, figures.n) for figures in found.per_group] == [("anna", 2), ("bea", 1)]
    assert evaluate(run.folder).groups == ()


def test_damaged_images_are_asked_about_as_they_are_made(run: Run) -> None:
    classifier, found = Classifier.load(run.folder), evaluate(run.folder)
    told: list[tuple[int, int]] = []
    robust = measure_robustness(classifier, found, lambda done, of: told.append((done, of)))
    assert (robust.n, robust.untouched) == (9, int(found.correct.sum()))
    assert told == [(9, 9)]
    right = 0
    for place, path in enumerate(found.paths):
        pixels = classifier.read(run.load_manifest().root / path)
        [dark] = [made for name, severity, made in corrupted(pixels, place) if (name, severity) == ("darkness", 3)]
        answer = classifier.raw_outputs(dark[None]).probabilities.argmax()
        right += int(answer == found.labels[place])
    assert robust.right["darkness"][2] == right
    (run.load_manifest().root / found.paths[4]).unlink()
    with pytest.raises(CorollaError, match="no such file"):
        measure_robustness(classifier, found)
