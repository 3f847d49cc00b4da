"""The training loop: an epoch of steps, a validation, a checkpoint, and again."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from corolla.classifier import Classifier
from corolla.data.manifest import Manifest, Split
from corolla.errors import CorollaError
from corolla.model import ViT
from corolla.progress import Progress
from corolla.run import Run
from corolla.training.average import AveragedModel
from corolla.training.beginning import begin
from corolla.training.checkpoint import Position, load_checkpoint, save_checkpoint
from corolla.training.compiling import Compiling, choose_compiling
from corolla.training.distillation import Distillation
from corolla.training.features import digest, split_features
from corolla.training.guard import explain
from corolla.training.head import fit_head
from corolla.training.lora import adapt, merged
from corolla.training.machine import Machine
from corolla.training.optimisation import build_optimisers, layer_of, learning_rate_factor, set_learning_rate
from corolla.training.pictures import EpochSampler, TrainingPictures, training_loader
from corolla.training.recipe import Recipe
from corolla.training.teachers.teacher import Teacher
from corolla.training.views.mixing import mixer
from corolla.training.views.randomness import seed_of
from corolla.weights import Weights

VALIDATIONS = 20  # about so many in a training


@dataclass(frozen=True)
class Validation:
    """Accuracy in [0, 1] and mean log loss in nats on the validation split."""

    accuracy: float
    loss: float


class Trainer:
    """A model in training on one manifest by one recipe."""

    def __init__(
        self,
        manifest: Manifest,
        recipe: Recipe,
        *,
        seed: int,
        machine: Machine,
        progress: Progress,
        weights: Weights | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.manifest, self.recipe, self.seed, self.progress = manifest, recipe, seed, progress
        self.precision, self.accelerator = machine.precision, machine.accelerator()
        beginning = begin(recipe, len(manifest.classes), weights)
        model = beginning.model(seed)
        if recipe.lora_rank:
            adapt(model, recipe.lora_rank)
        else:
            only_some(model, recipe.train_blocks)
        # Convolutions are faster with a pixel's channels side by side.
        model.patches.to(memory_format=torch.channels_last)
        model = model.to(self.accelerator.device)
        self.preprocessing = beginning.preprocessing
        self.average = AveragedModel(model, recipe.average_decay)
        self.distillation = None
        if teacher is not None:
            self.distillation = Distillation(recipe, teacher, model, self.preprocessing).to(self.accelerator.device)
        beside = [self.distillation] if self.distillation else []
        optimisers = build_optimisers(model, recipe, self.precision.dtype, *beside)
        self.model, *self.optimisers = self.accelerator.prepare(model, *optimisers)
        self.classifier = Classifier(
            self.average.model, self.preprocessing, manifest.classes,
            flip=recipe.flip_average, device=str(self.accelerator.device), precision=self.precision,
        )  # fmt: skip
        self.mix = mixer(len(manifest.classes))
        self.class_weights = self.weigh_classes()
        self.validation_paths = [manifest.locate(example) for example in manifest.split("val")]
        self.validation_labels = np.array(manifest.labels("val"))
        if recipe.epochs:
            self.load_pictures(machine.workers)

    def load_pictures(self, workers: int) -> None:
        """Decode what is trained on."""

        def tell(done: int, total: int) -> None:
            self.progress.stage("decoding", done, total)

        pictures = TrainingPictures.of(self.manifest, self.recipe, self.recipe.image_size, tell)
        self.sampler = EpochSampler(len(pictures), self.recipe.batch_size, self.seed)
        self.loader = training_loader(pictures, self.sampler, workers)

    def choose_compiling(self) -> Compiling:
        """Whether compiling the model pays for itself in this training."""
        if not self.recipe.epochs:
            return Compiling(False, "nothing but a head is fitted")
        recipe = self.recipe
        self.progress.stage("measuring compiled code", 0, 1)
        return choose_compiling(
            self.model, self.precision, recipe.image_size, self.sampler.batch_size, self.steps, len(recipe.growth)
        )

    def weigh_classes(self) -> Tensor | None:
        """Weights that make every class count the same in the loss, of mean 1 over the pictures, or None."""
        if self.recipe.class_weights == "none":
            return None
        counts = torch.tensor([float(count) for count in self.manifest.counts("train").values()])
        return (counts.sum() / (len(counts) * counts)).to(self.accelerator.device)

    @property
    def raw_optimisers(self) -> list[Optimizer]:
        """The optimisers without accelerate's wrapping, whose state is what a checkpoint holds."""
        return [getattr(optimiser, "optimizer", optimiser) for optimiser in self.optimisers]

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What learns or follows, by its name in a checkpoint."""
        beside: dict[str, nn.Module] = {"distillation": self.distillation} if self.distillation else {}
        return {"model": self.model, "average": self.average.model} | beside

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.epochs * self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one epoch."""
        return -(-len(self.sampler) // self.recipe.accumulate)

    def step(self, pixels: Tensor, labels: Tensor, epoch: int, number: int, *, update: bool = True) -> float:
        """One batch: uint8 views (B, 3, H, W) and class numbers (B,); returns its loss, checked to be finite.

        Without `update` the gradients only add up. `epoch` and `number` (from 0) are for the error's words.
        """
        device = self.accelerator.device
        images = self.preprocessing.normalise(pixels.to(device, non_blocking=True))
        targets: Tensor = labels.to(device, non_blocking=True)
        if torch.rand(()) < self.recipe.mixing:
            images, targets = self.mix(images, targets)
        loss = self.loss(images, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise explain(self.model, images, "loss", epoch + 1, number + 1)
        self.accelerator.backward(loss / self.recipe.accumulate)
        if update:
            norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
            if not bool(norm.isfinite()):
                raise explain(self.model, images, "gradient", epoch + 1, number + 1)
            for optimiser in self.optimisers:
                optimiser.step()
                optimiser.zero_grad()
            self.average.update(self.model)
        return value

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of normalised views (B, 3, H, W) with targets (B,) or (B, classes)."""
        if self.distillation is not None:
            loss: Tensor = self.distillation(self.model, self.accelerator, images, targets, self.class_weights)
            return loss
        logits, smoothing = self.model(images).float(), self.recipe.label_smoothing
        return F.cross_entropy(logits, targets, weight=self.class_weights, label_smoothing=smoothing)

    def epoch(self, epoch: int) -> dict[str, Any]:
        """Train through every picture once; `epoch` counts from 0. Returns the epoch's row of `metrics.jsonl`."""
        torch.manual_seed(seed_of(self.seed, epoch, "epoch"))
        self.model.train()
        self.sampler.epoch = epoch
        self.sampler.size = self.recipe.image_size_at(epoch, self.average.model.config.patch_size)
        started, losses, rate = time.monotonic(), [], 0.0
        for number, (pixels, labels) in enumerate(self.loader):
            done = epoch * self.steps_per_epoch + number // self.recipe.accumulate
            rate = self.recipe.learning_rate * learning_rate_factor(done, self.steps, self.recipe.warmup)
            set_learning_rate(self.optimisers, rate)
            update = (number + 1) % self.recipe.accumulate == 0 or number + 1 == len(self.sampler)
            losses.append(self.step(pixels, labels, epoch, number, update=update))
            speed = (number + 1) * len(labels) / (time.monotonic() - started)
            title = f"epoch {epoch + 1}/{self.recipe.epochs}"
            self.progress.stage(title, number + 1, len(self.sampler), f"loss {losses[-1]:.3f}  {speed:.0f} images/s")
        seconds = time.monotonic() - started
        return {
            "epoch": epoch + 1,
            "epochs": self.recipe.epochs,
            "image_size": self.sampler.size,
            "train_loss": float(np.mean(losses)),
            "learning_rate": rate,
            "seconds": seconds,
            "images_per_second": len(losses) * self.sampler.batch_size / seconds,
        }

    def validate(self) -> Validation:
        """The averaged weights on the validation split, asked as `predict` asks them."""
        chances = self.classifier.probabilities(
            self.validation_paths, lambda done, total: self.progress.stage("validating", done, total)
        )
        given = chances[np.arange(len(chances)), self.validation_labels]
        accuracy = float((chances.argmax(axis=1) == self.validation_labels).mean())
        return Validation(accuracy, float(-np.log(np.maximum(given, 1e-7)).mean()))

    def validates_after(self, epoch: int) -> bool:
        """Whether epoch `epoch` (from 0) is followed by a validation: the last one always is."""
        every = max(round(self.recipe.epochs / VALIDATIONS), 1)
        return (epoch + 1) % every == 0 or epoch + 1 == self.recipe.epochs

    def fit(self, run: Run, key: str, resume: bool, tell: Callable[[dict[str, Any]], None]) -> Position:
        """Train to the end, leaving weights, metrics and a checkpoint in `run` after every epoch.

        `key` says which training this is, so that a checkpoint of another one is refused; `tell` is given each
        epoch's row.
        """
        position = Position()
        if resume and run.checkpoint.is_file():
            position = load_checkpoint(run.checkpoint, self.modules, self.raw_optimisers, key)
            self.average.steps = position.average_steps
            run.write_history([row for row in run.history() if row["epoch"] <= position.epochs_done])
        else:
            run.write_history([])
            if self.recipe.head == "probe":
                started = time.monotonic()
                row = {"epoch": 0, "epochs": self.recipe.epochs} | self.first_head(run, position)
                position.seconds += time.monotonic() - started
                run.append_history(row)
                tell(row)
        while position.epochs_done < self.recipe.epochs and not position.finished:
            started = time.monotonic()
            row = self.epoch(position.epochs_done)
            if self.validates_after(position.epochs_done):
                row |= self.judge(run, position, row["epoch"], self.validate())
            position.epochs_done += 1
            position.seconds += time.monotonic() - started
            run.append_history(row)
            tell(row)
            position.average_steps = self.average.steps
            save_checkpoint(run.checkpoint, position, self.modules, self.raw_optimisers, key)
            self.progress.note(describe(row, position))
        if position.best_epoch < 0:
            raise CorollaError("the training ended without a validation; give the data a validation split")
        return position

    def first_head(self, run: Run, position: Position) -> dict[str, Any]:
        """Fit the head to the frozen features of what the training begins with (arXiv 2202.10054)."""
        model, device = self.average.model, self.accelerator.device

        def extract(images: Tensor) -> Tensor:
            return model.pool(model.encode(images))

        def features(split: Split) -> Tensor:
            def tell(done: int, total: int) -> None:
                self.progress.stage(f"features of {split}", done, total)

            return split_features(self.manifest, split, extract, self.preprocessing, device, tell, digest(model))

        labels = torch.tensor(self.manifest.labels("train"))
        val_labels = torch.from_numpy(self.validation_labels)
        fitted = fit_head(features("train"), labels, features("val"), val_labels, len(self.manifest.classes))
        with torch.no_grad():
            for head in (self.model.head, model.head, self.model.distillation_head, model.distillation_head):
                if head is not None:
                    head.weight.copy_(fitted.weight)
                    head.bias.copy_(fitted.bias)
        row = self.judge(run, position, 0, self.validate())
        self.progress.note(
            f"head fitted to frozen features: val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        )
        return row | {"head_strength": fitted.strength}

    def judge(self, run: Run, position: Position, epoch: int, validation: Validation) -> dict[str, Any]:
        """Keep the averaged weights if they are the best so far, and stop if they have not been for long."""
        better = (validation.accuracy, -validation.loss) > (position.best_accuracy, -position.best_loss)
        if better:
            position.best_epoch, position.since_best = epoch, 0
            position.best_accuracy, position.best_loss = validation.accuracy, validation.loss
            run.save_model(merged(self.average.model))
        else:
            position.since_best += 1
            position.finished = 0 < self.recipe.patience <= position.since_best
        return {"val_accuracy": validation.accuracy, "val_loss": validation.loss, "best": better}


def only_some(model: ViT, train_blocks: int) -> None:
    """Freeze everything below the last `train_blocks` blocks; -1 freezes nothing."""
    if train_blocks < 0:
        return
    lowest = model.config.depth + 1 - min(train_blocks, model.config.depth)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(layer_of(name, model.config.depth) >= lowest)


def describe(row: dict[str, Any], position: Position) -> str:
    """One line about an epoch."""
    said = f"epoch {row['epoch']}/{row['epochs']}  {row['image_size']} px  loss {row['train_loss']:.3f}"
    if "val_accuracy" in row:
        said += f"  val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        said += "  best" if row["best"] else f"  best {position.best_accuracy:.1%} at {position.best_epoch}"
    return f"{said}  {row['images_per_second']:.0f} images/s  {row['seconds']:.1f} s"
