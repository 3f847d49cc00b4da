"""corolla as a contender of `speed.py`: its own training step, classifier and data loading."""

import gc
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from contender import BATCH, CLASSES, PIXELS, Answer, Asked, Trial, batch_of_chance, serve, through, trial
from corolla.cache import sha256_of
from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.painted import paint_dataset
from corolla.precision import choose_precision
from corolla.preprocessing import Preprocessing
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.training.recipe import Policy, Recipe
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

NAMES = tuple(f"class {number}" for number in range(CLASSES))
# Like the peers: a single optimizer, no MixUp or CutMix.
PLAIN = Recipe(
    name="speed",
    model="",
    image_size=PIXELS,
    epochs=1,
    optimizer="adamw",
    batch_size=BATCH,
    mixup_cutmix_prob=0.0,
    drop_path=0.0,
)


def named(model: str) -> str:
    """The model name of this size in corolla."""
    return f"vit_{model}_patch16_{PIXELS}"


def trainer_of(folder: Path, recipe: Recipe, workers: int) -> Trainer:
    """A trainer on every image of a tree of class folders."""
    files = sorted(folder.glob("*/*"))
    examples = tuple(
        Example(f"{file.parent.name}/{file.name}", file.parent.name, "train", sha256=sha256_of(file)) for file in files
    )
    manifest = Manifest(folder, examples)
    return Trainer(manifest, recipe, seed=0, machine=Runtime("cpu", workers), progress=Progress())


def training(model: str) -> Trial:
    """The step of `corolla train`, from uint8 images to the averaged weights."""
    with TemporaryDirectory() as temporary:  # a trainer needs image files, but the timed step reads none
        for name in NAMES:
            (Path(temporary) / name).mkdir()
            Image.new("RGB", (32, 32)).save(Path(temporary) / name / "black.jpg")
        trainer = trainer_of(Path(temporary), replace(PLAIN, model=named(model)), workers=0)
    trainer.model.train()
    images, labels = batch_of_chance()
    pixels = (images * 64 + 128).clamp(0, 255).to(torch.uint8)
    return trial(lambda: trainer.step(pixels, labels, 0, 0), BATCH, warm=2)


def asked(model: str) -> Asked:
    """The classifier of `corolla predict --precision bf16`, or fp32 if the processor has no bfloat16 units."""
    shape, numbers = vit_config(named(model), CLASSES), choose_precision("cpu")
    classifier = Classifier(ViT(shape), Preprocessing((PIXELS, PIXELS)), NAMES, flip=False, precision=numbers)
    return lambda files, batch: (
        classifier.predict(files[0]) if batch == 1 else classifier.predict_proba(files)  # in its own batches of 32
    )


def images(folder: str, policy: Policy, workers: int) -> Answer:
    """Images per second in the first epoch, with everything before it, and in the second, from an empty cache."""
    gc.collect()  # ends the workers of the previous trainer
    begun = time.perf_counter()
    with TemporaryDirectory() as cache:
        os.environ["COROLLA_CACHE"] = cache
        recipe = replace(PLAIN, model=named("pico"), auto_augment=policy)
        trainer = trainer_of(Path(folder), recipe, workers)
        rates = []
        for epoch in range(2):
            rates.append(through(trainer.feed.batches(epoch, PIXELS), begun))
            begun = time.perf_counter()
    return {"first": rates[0], "later": rates[1]}


def paint(folder: str, count: int, size: int) -> Answer:
    """JPEG files for all contenders, if no photographs were given."""
    paint_dataset(Path(folder), count, size=size)
    return {}


def save(folder: str, model: str) -> Answer:
    """A run folder with random weights for `corolla predict`."""
    run, config = Run(Path(folder)), vit_config(named(model), CLASSES)
    run.folder.mkdir(parents=True, exist_ok=True)
    run.save_model(ViT(config))
    preprocessing = Preprocessing((PIXELS, PIXELS))
    run.save_config(
        Config(named(model), config, NAMES, preprocessing, PLAIN.to_json() | {"hflip_tta": False}, {}, {}, {})
    )
    return {}


if __name__ == "__main__":
    serve(("torchvision", "corolla"), training, asked, images=images, paint=paint, save=save)
