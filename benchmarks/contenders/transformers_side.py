"""transformers as a contender: the training of run_image_classification.py, and its pipeline."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    pipeline,
)

from contender import BATCH, CLASSES, PIXELS, SHAPES, Answer, Asked, Trial, batch_of_chance, serve

WARM = 2  # steps


def made(model: str) -> ViTForImageClassification:
    """The model with random weights."""
    shape = SHAPES[model]
    config = ViTConfig(
        hidden_size=shape.width, num_hidden_layers=shape.depth, num_attention_heads=shape.heads,
        intermediate_size=shape.mlp_dim, image_size=PIXELS, patch_size=16,
        id2label={number: f"class {number}" for number in range(CLASSES)},
        label2id={f"class {number}": number for number in range(CLASSES)},
    )  # fmt: skip
    return ViTForImageClassification(config)


class Batch(Dataset[dict[str, torch.Tensor]]):
    """The images of one batch, repeated."""

    def __init__(self) -> None:
        self.images, self.labels = batch_of_chance()

    def __len__(self) -> int:
        return 1000 * BATCH

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"pixel_values": self.images[index % BATCH], "labels": self.labels[index % BATCH]}


class Clock(TrainerCallback):
    """Times each step, from the loaded batch to the zeroed gradients, and stops after enough steps and seconds."""

    def __init__(self) -> None:
        self.start(0.0, 1)

    def start(self, seconds: float, steps: int) -> None:
        """Reset the clock."""
        self.seconds, self.steps, self.begun = seconds, steps, 0.0
        self.taken: list[float] = []

    @property
    def counted(self) -> list[float]:
        """The steps after the warm-up."""
        return self.taken[WARM:]

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.begun = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.taken.append(time.perf_counter() - self.begun)
        control.should_training_stop = len(self.counted) >= self.steps and sum(self.counted) >= self.seconds


def training(model: str) -> Trial:
    """`Trainer.train` with its defaults: float32, its AdamW, gradients clipped to a norm of 1, no weight averaging."""
    folder = TemporaryDirectory()
    clock = Clock()
    arguments = TrainingArguments(
        folder.name, per_device_train_batch_size=BATCH, max_steps=100_000, use_cpu=True,
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(made(model), arguments, train_dataset=Batch(), callbacks=[clock])

    def run(seconds: float, steps: int) -> tuple[int, float]:
        clock.start(seconds, steps)
        trainer.train()
        return len(clock.counted) * BATCH, sum(clock.counted)

    return run


def save(folder: str, model: str) -> Answer:
    """A folder like a Hub repository, with random weights."""
    made(model).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)
    return {}


def asked(model: str) -> Asked:
    """The pipeline on such a folder."""
    with TemporaryDirectory() as folder:
        save(folder, model)
        answering = pipeline("image-classification", model=str(Path(folder)), device="cpu")
    return lambda files, batch: answering(files[0]) if batch == 1 else answering(files, batch_size=batch)


if __name__ == "__main__":
    serve(("torchvision", "transformers", "accelerate"), training, asked, save=save)
