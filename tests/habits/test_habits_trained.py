"""Miniatures of data sets as they are downloaded, each trained by one command with no option but for how long."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from corolla.cli import main

RNG = np.random.default_rng(0)


def photograph(file: Path, kind: int, size: int = 64) -> None:
    """Noise with stripes whose direction and color tell the kind: no two files are alike."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:size, :size]
    angle, phase = kind * np.pi / 7, RNG.uniform(0, 6)
    stripes = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 3 + phase)
    color = np.array([np.cos(kind), np.cos(2 * kind + 1), np.sin(kind)]) * 60
    pixels = 128 + stripes[..., None] * color + RNG.normal(0, 40, (size, size, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)


def hymenoptera(root: Path) -> None:
    """Two classes in train and val, no test, and a file of the system's."""
    for split, count in (("train", 24), ("val", 15)):
        for kind, name in enumerate(("ants", "bees")):
            for number in range(count):
                photograph(root / "hymenoptera_data" / split / name / f"{split}{number}.jpg", kind)
    (root / "hymenoptera_data" / ".DS_Store").touch()


def flowers_102(root: Path) -> None:
    """Classes called by numbers, few images of each, a JSON of names beside them."""
    for split in ("train", "valid", "test"):
        for kind in range(12):
            for number in range(6):
                photograph(root / split / str(kind + 1) / f"image_{number:05}.jpg", kind)
    (root / "cat_to_name.json").write_text(json.dumps({str(kind + 1): f"flower {kind}" for kind in range(12)}))


def grocery(root: Path) -> None:
    """Nested classes, of which validation and test lack some; lists with three columns; product images beside."""
    classes = ["Fruit/Apple/Golden", "Fruit/Apple/Gala", "Fruit/Banana", "Packages/Milk/Oat", "Packages/Juice"]
    for split, count in (("train", 12), ("val", 5), ("test", 5)):
        lines = []
        for kind, name in enumerate(classes[: None if split == "train" else 4]):
            for number in range(count):
                path = f"{split}/{name}/{kind}_{number}.jpg"
                photograph(root / "dataset" / path, kind)
                lines.append(f"{path}, {kind}, {kind // 3}\n")
        (root / "dataset" / f"{split}.txt").write_text("".join(lines))
    photograph(root / "dataset" / "iconic-images" / "Fruit" / "apple.jpg", 0)
    photograph(root / "sample_images" / "natural.png", 0)


def ham10000(root: Path) -> None:
    """Images in two parts, and a table with ids, labels, and several images of one lesion."""
    lines = ["lesion_id,image_id,dx,age\n"]
    for number in range(90):
        kind = number % 3
        photograph(root / f"HAM10000_images_part_{1 + number // 45}" / f"ISIC_{number:07}.jpg", kind)
        lines.append(f"HAM_{number // 2},ISIC_{number:07},{('nv', 'mel', 'bkl')[kind]},50\n")
    (root / "HAM10000_metadata.csv").write_text("".join(lines))


def cifar(root: Path) -> None:
    """Small images, train and test, ten classes."""
    for split, count in (("train", 20), ("test", 8)):
        for kind in range(10):
            for number in range(count):
                photograph(root / "cifar10" / split / f"class{kind}" / f"{number:04}.png", kind, 32)


# By a name: what lays it out, its classes, how many images each split has, and what the training says.
SETS: dict[str, tuple[Callable[[Path], None], list[str], list[int | None], list[str]]] = {
    "hymenoptera": (hymenoptera, ["ants", "bees"], [None, 30, None], ["ants (39), bees (39)"]),
    "flowers_102": (
        flowers_102, sorted(str(kind + 1) for kind in range(12)), [72, 72, 72], ["1 (18), 10 (18)", "and 2 more"],
    ),
    "grocery": (
        grocery, ["Banana", "Gala", "Golden", "Juice", "Oat"], [60, 20, 20],
        ["innermost folders are the classes", "val has no image of 1 class of 5: Juice", "iconic-images"],
    ),
    "ham10000": (
        ham10000, ["bkl", "mel", "nv"], [None, None, None], ["HAM10000_metadata.csv", "not the folders HAM10000"],
    ),
    "cifar": (cifar, sorted(f"class{kind}" for kind in range(10)), [None, None, 80], ["class0 (28)"]),
}  # fmt: skip


def folder(path: str) -> str:
    """The label of most sets: the folder of the image."""
    return PurePosixPath(path).parent.name


# The label of an image by its path, where that is not its folder.
LABELS: dict[str, Callable[[str], str]] = {
    "ham10000": lambda path: ("nv", "mel", "bkl")[int(PurePosixPath(path).stem.removeprefix("ISIC_")) % 3],
}


BY_MINUTES = "cifar"  # the others are trained for as long as shows that they are read right


@pytest.mark.parametrize("name", SETS)
def test_a_set_as_it_is_downloaded_is_trained_on_by_one_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay, classes, sizes, words = SETS[name]
    lay(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    status = main(["train", name, *(("--minutes", "0.5") if name == BY_MINUTES else ("--epochs", "1"))])
    said = capsys.readouterr().err
    if enough := re.search("give --minutes ([0-9.]+) or more", said):  # a slow machine
        status = main(["train", name, "--minutes", enough[1]])
        said = capsys.readouterr().err
    assert status == 0, said
    assert all(word in said for word in words), said
    config = json.loads((tmp_path / "runs" / name / "config.json").read_text(encoding="utf-8"))
    assert config["classes"] == classes
    counts = [sum(config["data"]["counts"][split].values()) for split in ("train", "val", "test")]
    assert [count if size is not None else None for count, size in zip(counts, sizes, strict=True)] == sizes
    with (tmp_path / "runs" / name / "manifest.csv").open(newline="", encoding="utf-8") as file:
        labels = {row["path"]: row["label"] for row in csv.DictReader(file)}
    assert all(label == LABELS.get(name, folder)(path) for path, label in labels.items())
    evaluation = json.loads((tmp_path / "runs" / name / "evaluation.json").read_text(encoding="utf-8"))
    assert len(evaluation["per_class"]) == len(classes)
    assert (tmp_path / "runs" / name / "report.html").is_file()
