"""The trainer: one training step, and validation.

Every step starts from its own seed, derived from the run's seed, the epoch and the batch, and every process draws the
same random numbers for the whole batch. So a training can be stopped between any two steps and resumed, with more or
fewer processes, with the same result.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.models.vit import ViT
from corolla.progress import Progress
from corolla.training.cached_loader import CachedLoader, ImageLoader, TrainingImages
from corolla.training.compiling import Compiling, choose_compiling
from corolla.training.distillation import Distillation
from corolla.training.ema import ModelEma
from corolla.training.lora import adapt
from corolla.training.loss import TrainingLoss
from corolla.training.model_init import begin
from corolla.training.nonfinite import diagnose_nonfinite
from corolla.training.optimization import build_optimizers, layer_of, learning_rate_factor, set_learning_rate
from corolla.training.pace import Pace
from corolla.training.recipe import Recipe
from corolla.training.runtime import Runtime
from corolla.training.sharding import full_tensor, shard
from corolla.training.streaming_loader import StreamingLoader
from corolla.training.sync_batch_norm import share_norms
from corolla.training.teachers.teacher import Teacher
from corolla.training.transforms.mixing import mixer
from corolla.training.transforms.sample_rng import seed_of
from corolla.training.validation_images import ReadyImages
from corolla.weights import Weights


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
        machine: Runtime,
        progress: Progress,
        weights: Weights | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.manifest, self.recipe, self.seed, self.progress = manifest, recipe, seed, progress
        self.precision, self.accelerator = machine.precision, machine.accelerator()
        self.processes = machine.processes
        beginning = begin(recipe, len(manifest.classes), weights)
        model = beginning.model(seed)
        if recipe.lora_rank and machine.fsdp:
            raise CorollaError("--lora-rank trains too few weights to shard; leave --fsdp out")
        if recipe.lora_rank:
            adapt(model, recipe.lora_rank)
        else:
            freeze_below(model, recipe.unfreeze_last)
        if not machine.fsdp:  # FSDP shards contiguous memory only
            # Convolutions are faster in channels-last order.
            model.patch_embed.to(memory_format=torch.channels_last)
        several = self.processes.count > 1
        if several:
            share_norms(model)
        self.model = model.to(self.accelerator.device)
        self.preprocessing = beginning.preprocessing
        self.average = ModelEma(model, recipe.ema_decay)
        self.distillation = None
        if teacher is not None:
            helper = Distillation(recipe, teacher, model, self.preprocessing, shared=several)
            self.distillation = helper.to(self.accelerator.device)
        balance = self.weigh_classes()
        self.objective = TrainingLoss(model, recipe, self.distillation, balance, self.precision, self.processes)
        if machine.fsdp:
            shard(model, self.objective)
            self.average.shard()
            self.shared: nn.Module = self.objective
        else:
            self.shared = self.accelerator.prepare(self.objective)
        beside = [self.distillation] if self.distillation else []
        self.optimizers = build_optimizers(model, recipe, self.precision.dtype, *beside)
        self.mix = mixer(len(manifest.classes)) if recipe.mixup_cutmix_prob else None
        validated = [manifest.locate(example) for example in manifest.split("val")]
        own = self.processes.shard_range(len(validated))
        self.validation_images = ReadyImages(validated[own.start : own.stop], self.preprocessing)
        self.validation_labels = np.array(manifest.labels("val"))
        if recipe.epochs:
            self.feed = self.load_images(machine.workers)

    def load_images(self, workers: int) -> ImageLoader:
        """The training images: decoded once into the cache, or streamed from shards."""
        if self.manifest.stream is not None:
            return StreamingLoader(
                self.manifest.stream, self.recipe, self.recipe.batch_size, self.seed, workers,
                self.processes.rank, self.processes.count, self.progress.note,
            )  # fmt: skip

        def tell(done: int, total: int) -> None:
            self.progress.stage("decoding", done, total)

        with self.accelerator.local_main_process_first():  # the machine's other processes find them in the cache
            images = TrainingImages.of(self.manifest, self.recipe, self.recipe.image_size, tell, self.progress.note)
        if self.processes.count > min(len(images), self.recipe.batch_size):
            raise CorollaError(f"{self.processes.count} processes cannot share a batch of {self.recipe.batch_size}")
        return CachedLoader(images, self.recipe.batch_size, self.seed, workers, self.processes)

    def choose_compiling(self) -> Compiling:
        """Whether compiling the model pays for itself in this training."""
        if not self.recipe.epochs:
            return Compiling(False, "only a head is fitted")
        recipe = self.recipe
        self.progress.stage("measuring compiled code", 0, 1)
        chosen = choose_compiling(
            self.model, self.precision, recipe.image_size, len(self.processes.shard_range(self.feed.batch_size)),
            self.steps, len(recipe.progressive_resizing), self.processes,
        )  # fmt: skip
        self.progress.stage("measuring compiled code", 1, 1)
        return chosen

    def weigh_classes(self) -> Tensor | None:
        """Weights that give every class the same weight in the loss, with mean 1 over the images, or None."""
        if self.recipe.class_weights == "none":
            return None
        counts = torch.tensor([float(count) for count in self.manifest.counts("train").values()])
        return (counts.sum() / (len(counts) * counts)).to(self.accelerator.device)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules of a checkpoint by name."""
        beside: dict[str, nn.Module] = {"distillation": self.distillation} if self.distillation else {}
        return {"model": self.model, "average": self.average.model} | beside

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training, as planned."""
        return max(round(self.recipe.length * self.steps_per_epoch), 1)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return -(-len(self.feed) // self.recipe.grad_accum_steps)

    def step(self, pixels: Tensor, labels: Tensor, epoch: int, number: int, *, update: bool = True) -> float:
        """One batch: uint8 views (B, 3, H, W) and class numbers (B,); returns its loss, checked to be finite.

        If several processes share the batch, B is this process's part and the loss is that of the whole batch. Without
        `update` the gradients are only accumulated. `epoch` and `number` (from 0) seed the step's RNG.
        """
        torch.manual_seed(seed_of(self.seed, epoch, number, "step"))
        device = self.accelerator.device
        images, targets = self.mixed(pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True))
        several = self.processes.count > 1
        adds_up = several and not update and self.shared is not self.objective
        with self.accelerator.no_sync(self.shared) if adds_up else nullcontext():
            loss: Tensor = self.shared(images, targets)
            value = loss.item()
            if several:
                value = self.processes.all_reduce(value)[0] / self.processes.count
            if not math.isfinite(value):
                raise diagnose_nonfinite(self.model, images, "loss", epoch + 1, number + 1)
            self.accelerator.backward(loss / self.recipe.grad_accum_steps)
        if update:
            norm = full_tensor(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad_norm))
            if not bool(norm.isfinite()):
                raise diagnose_nonfinite(self.model, images, "gradient", epoch + 1, number + 1)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.average.update(self.model)
        return value

    def mixed(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Normalized images and targets of this process's part of a batch, randomly mixed by MixUp or CutMix."""
        mix = self.mix if torch.rand(()) < self.recipe.mixup_cutmix_prob else None
        if mix is None or self.processes.count == 1:
            images = self.preprocessing.normalize(pixels)
            return mix(images, labels) if mix else (images, labels)
        # Each image is mixed with the one before it, the first of this part with the last of the previous part.
        image, label = self.processes.ring_recv(pixels[-1:].contiguous(), labels[-1:])
        images = self.preprocessing.normalize(torch.cat([image, pixels]))
        images, targets = mix(images, torch.cat([label, labels]))
        return images[1:], targets[1:]

    def set_rate(self, epoch: int, number: int, pace: Pace) -> None:
        """Set the optimizers' learning rate for batch `number` of an epoch, both from 0."""
        set_learning_rate(self.optimizers, self.rate_at(epoch, number, pace))

    def rate_at(self, epoch: int, number: int, pace: Pace) -> float:
        """The learning rate of batch `number` of an epoch, both from 0."""
        done, steps = (
            epoch + number // self.recipe.grad_accum_steps / self.steps_per_epoch,
            pace.epochs * self.steps_per_epoch,
        )
        return self.recipe.learning_rate * learning_rate_factor(pace.at(done) * steps, steps, self.recipe.warmup)

    def validate(self, look: Callable[[int, int], None] | None = None) -> Validation:
        """Evaluate the averaged weights on the validation split as `predict` does; each process does its part."""
        classifier = Classifier(
            self.average.whole(), self.preprocessing, self.manifest.classes,
            flip=self.recipe.hflip_tta, device=str(self.accelerator.device), precision=self.precision,
        )  # fmt: skip
        rows = [np.zeros((0, len(classifier.classes)), np.float32)]
        for pixels in self.validation_images:
            rows.append(np.stack([output.probabilities for output in classifier.infer(pixels)]))
            if look:
                look(sum(map(len, rows)), len(self.validation_images))
        chances = self.processes.all_gather(np.concatenate(rows), len(self.validation_labels))
        given = chances[np.arange(len(chances)), self.validation_labels]
        accuracy = float((chances.argmax(axis=1) == self.validation_labels).mean())
        return Validation(accuracy, float(-np.log(np.maximum(given, 1e-7)).mean()))


def freeze_below(model: ViT, unfreeze_last: int) -> None:
    """Freeze everything below the last `unfreeze_last` blocks; -1 freezes nothing."""
    if unfreeze_last < 0:
        return
    lowest = model.config.depth + 1 - min(unfreeze_last, model.config.depth)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(layer_of(name, model.config.depth) >= lowest)
