"""A run folder with everything that the report reads, and predictions of generated images."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.data.manifest import Example, Manifest
from corolla.evaluation.metrics import Evaluation
from corolla.models.config import ViTConfig
from corolla.preprocessing import Preprocessing
from corolla.run import Config, Run

HISTORY = [
    {
        "epoch": epoch,
        "epochs": 6,
        "image_size": 16 if epoch < 4 else 24,
        "train_loss": 2.0 / epoch,
        "val_loss": 1.8 / epoch,
        "val_accuracy": 0.9 - 0.5 / epoch,
        "learning_rate": 1e-3,
        "seconds": 1.0,
        "images_per_second": 90.0,
        "best": True,
    }
    for epoch in range(1, 7)
]


def make(
    folder: Path, classes: tuple[str, ...], folder_name: str = "run", images: int = 3, words: str = "plain"
) -> tuple[Run, Evaluation, Manifest]:
    """A run of `classes`, each with `images` test images of which the first is misclassified.

    `words` goes wherever a config or a manifest holds free text, and into the paths.
    """
    n = len(classes)
    root = folder / "images"
    root.mkdir(parents=True, exist_ok=True)
    examples = []
    for label in classes:
        for place in range(images):
            # Paths that no file system accepts are paths without an image.
            path = f"{words} {place}.png" if words != "plain" else f"{classes.index(label)}-{place}.png"
            if words == "plain":
                color = tuple(np.random.default_rng(len(examples)).integers(0, 255, 3).tolist())
                Image.new("RGB", (40, 30), color).save(root / path)
            examples.append(Example(path, label, "test"))
    manifest = Manifest(root, tuple(examples))
    labels = np.repeat(np.arange(n), images)
    answered = labels.copy()
    answered[::images] = (answered[::images] + 1) % n
    rows = np.random.default_rng(0).random((len(labels), n)).astype(np.float32)
    rows[np.arange(len(labels)), answered] += 1.5
    rows /= rows.sum(axis=1, keepdims=True)
    evaluation = Evaluation(classes, "test", tuple(e.path for e in examples), labels, rows, root, 0)
    run = Run(folder / folder_name)
    run.save_config(
        Config(
            model=words,
            architecture=ViTConfig(n, (16, 16), 8, embed_dim=32, depth=1, num_heads=2, mlp_dim=32),
            classes=classes,
            preprocessing=Preprocessing((16, 16)),
            recipe={"name": words, "epochs": 6, "progressive_resizing": [[0.0, 0.5], [0.5, 1.0]], words: words},
            data={
                "source": words,
                "root": str(root),
                "digest": words,
                "counts": {split: dict.fromkeys(classes, 7) for split in ("train", "val", "test")},
                "skipped": [[f"{words}.jpg", words]],
                "notes": [f"{words} were read so"],
            },
            versions={"corolla": words},
            training={
                "seed": 3,
                "device": words,
                "precision": "bf16",
                "minutes": 2.5,
                "best_epoch": 6,
                "best_val_accuracy": 0.8166,
                "hardware": words,
                "parameters": 2_912_345,
            },
        )
    )
    manifest.save(run.manifest_file)
    run.metrics_file.write_text("\n".join(map(json.dumps, HISTORY)) + "\n", encoding="utf-8")
    return run, evaluation, manifest


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Run, Evaluation, Manifest]]:
    """`make` in a separate folder."""
    return lambda *arguments, **options: make(tmp_path_factory.mktemp("made"), *arguments, **options)


@pytest.fixture
def history() -> list[dict[str, object]]:
    """Six epochs of a training with progressive resizing."""
    return [dict(row) for row in HISTORY]
