"""Fit a teacher to the images before distillation: first its head on frozen features, then the whole network."""

import json
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW

from corolla.data.manifest import Example, Manifest, Split
from corolla.evaluation.calibrating import some
from corolla.features.backbones import load_backbone
from corolla.features.extraction import cache_file, digest, image_features
from corolla.features.linear_probe import fit_head
from corolla.host import give_back_freed_memory
from corolla.progress import Progress
from corolla.text import count
from corolla.training.cached_loader import EpochSampler, TrainingImages, training_loader
from corolla.training.recipe import Recipe
from corolla.training.rng import seed_of
from corolla.training.runtime import Runtime
from corolla.training.schedule import learning_rate_factor
from corolla.training.teachers.cost import (
    TeacherCost,
    TeacherPlan,
    measure_features,
    measure_step,
    plan_teacher,
)
from corolla.training.teachers.teacher import TOGETHER, Teacher, read_teacher, save_teacher, words_of
from corolla.training.transforms.mixing import mixer

LEARNING_RATE, WEIGHT_DECAY, WARMUP = 3e-4, 0.05, 0.1
LATE = 1.2  # a fine-tuning that takes longer than this multiple of its seconds is given up


class FittedTeacher:
    """The teacher that `recipe` names, with a head for one manifest's classes; `facts` has its accuracies."""

    def __init__(self, manifest: Manifest, recipe: Recipe, machine: Runtime, seed: int, progress: Progress) -> None:
        self.manifest, self.recipe, self.seed, self.progress = manifest, recipe, seed, progress
        self.accelerator, self.workers, self.processes = machine.accelerator(), machine.workers, machine.processes
        self.facts: dict[str, Any] = {"name": recipe.teacher}
        self.plan = TeacherPlan(2, 1.0, None, recipe.teacher_epochs)
        self.measured: TeacherCost | None = None
        self.together = TOGETHER if self.accelerator.device.type == "cpu" else recipe.batch_size
        self.frozen = True  # the backbone is as it was loaded, so its features may be cached for other trainings
        pretrained = load_backbone(recipe.teacher)
        teacher = Teacher(pretrained, len(manifest.classes))
        self.teacher = teacher.to(self.accelerator.device).to(memory_format=torch.channels_last)
        self.knows = pretrained.head is not None and pretrained.classes == manifest.classes
        if self.knows and pretrained.head is not None:
            self.teacher.head.load_state_dict(pretrained.head.state_dict())

    def labels(self, split: Split) -> Tensor:
        """The class numbers of `some` of a split (images,)."""
        return torch.tensor([self.manifest.class_index[example.label] for example in self.some(split)])

    def extract(self, images: Tensor) -> Tensor:
        """The backbone's features (B, C) of normalized images (B, 3, H, W)."""
        with self.accelerator.autocast():
            feature: Tensor = self.teacher.backbone(images.contiguous(memory_format=torch.channels_last))[1]
        return feature

    @property
    def key(self) -> str:
        """The cache key of the features, which identifies the network; empty if it was fine-tuned."""
        return f"{digest(self.teacher.backbone)} {self.accelerator.mixed_precision}" if self.frozen else ""

    def some(self, split: Split) -> tuple[Example, ...]:
        """The examples of a split that the teacher uses: all if there is time, and always all of the test split."""
        examples = self.manifest.split(split)
        return (
            examples
            if self.plan.share == 1 or split == "test"
            else some(examples, max(round(self.plan.share * len(examples)), 1))
        )

    def features(self, split: Split) -> Tensor:
        """The backbone's features (images, views, C) of `some` of a split."""

        def tell(done: int, total: int) -> None:
            self.progress.stage(f"teacher features of {split}", done, total)

        return image_features(
            self.manifest.root, self.some(split), self.extract, self.teacher.preprocessing, self.accelerator.device,
            tell, self.key, self.plan.views,
        )  # fmt: skip

    def measure(self) -> TeacherCost:
        """Measure the time of fitting on this machine with a few batches."""
        paths = [self.manifest.locate(example) for example in self.manifest.split("train")]
        preprocessing, pixels = self.teacher.preprocessing, max(self.teacher.preprocessing.image_size)
        view, both = measure_features(paths, self.extract, preprocessing, self.accelerator.device)
        step = 0.0
        if self.recipe.teacher_epochs:
            count = min(self.recipe.batch_size, len(paths), self.together)
            step = measure_step(self.loss, count, pixels, self.accelerator.device)
            self.teacher.zero_grad()
        unknown = 0
        for split in ("train", "val"):
            examples = self.manifest.split(split)
            file = cache_file(examples, preprocessing, self.key)
            unknown += 0 if file and file.is_file() else len(examples)
        return TeacherCost(view, both, step, unknown, len(paths), len(self.manifest.split("val")))

    def cost(self) -> TeacherCost:
        """The same, measured once."""
        self.measured = self.measured or self.measure()
        return self.measured

    def fit_head(self) -> float:
        """Fit the head to the frozen backbone; returns the accuracy on validation."""

        def tell(done: int, total: int) -> None:
            self.progress.stage("fitting the teacher's head", done, total)

        train, val = self.features("train"), self.features("val")
        head = fit_head(
            train, self.labels("train"), val, self.labels("val"), len(self.manifest.classes),
            seconds=self.plan.head, progress=tell,
        )  # fmt: skip
        with torch.no_grad():
            self.teacher.head.weight.copy_(head.weight)
            self.teacher.head.bias.copy_(head.bias)
        return head.accuracy

    def accuracy(self, split: Split) -> float:
        """The teacher's accuracy on a split, each prediction averaged over the image and its horizontal flip."""
        with torch.inference_mode():
            probs = self.teacher.head(self.features(split).to(self.accelerator.device)).softmax(dim=-1).mean(dim=1)
        return float((probs.argmax(dim=1).cpu() == self.labels(split)).float().mean())

    def fine_tune(self, epochs: int, seconds: float | None = None) -> tuple[int, float]:
        """Fine-tune the whole teacher for `epochs` and keep the better weights; returns epochs and validation accuracy.

        If `seconds` turn out too short, it trains fewer epochs, or none and restores the weights.
        """
        was = self.accuracy("val")
        if epochs < 1:
            return 0, was
        started, pixels = time.monotonic(), max(self.teacher.preprocessing.image_size)

        def tell(done: int, total: int) -> None:
            self.progress.stage("decoding for the teacher", done, total)

        images = TrainingImages.of(self.manifest, self.recipe, pixels, tell, self.progress.note)
        sampler = EpochSampler(len(images), self.recipe.batch_size, self.seed)
        sampler.size = pixels
        optimizer = AdamW(self.teacher.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        before = {name: tensor.clone() for name, tensor in self.teacher.state_dict().items()}
        self.frozen, epoch = False, 0
        loader, begun = training_loader(images, sampler, self.workers), time.monotonic()
        while epoch < epochs:
            torch.manual_seed(seed_of(self.seed, epoch, "teacher"))
            sampler.epoch = epoch
            for number, (views, labels) in enumerate(loader):
                rate = LEARNING_RATE * learning_rate_factor(
                    epoch * len(sampler) + number, epochs * len(sampler), WARMUP
                )
                for group in optimizer.param_groups:
                    group["lr"] = rate
                loss = self.step(views, labels, optimizer)
                self.progress.stage(
                    f"teacher, epoch {epoch + 1}/{epochs}", number + 1, len(sampler), f"loss {loss:.3f}"
                )
                if seconds is not None and time.monotonic() - started > LATE * seconds:
                    self.restore(before)
                    return 0, was
            epoch += 1
            if seconds is not None:
                each, left = (time.monotonic() - begun) / epoch, seconds - (time.monotonic() - started)
                epochs = min(epochs, epoch + max(math.floor(left / each + 0.1), 0))
        now = self.accuracy("val")
        if not now > was:  # no improvement, or the weights are not finite
            self.restore(before)
        return epochs, max(now, was)

    def restore(self, before: dict[str, Tensor]) -> None:
        """Restore the weights from before the fine-tuning."""
        self.teacher.load_state_dict(before)
        self.frozen = True

    def step(self, views: Tensor, labels: Tensor, optimizer: AdamW) -> float:
        """One step on uint8 views (B, 3, H, W), a few images at a time; returns the loss of the whole batch.

        The batch norms keep their statistics, so the gradients of the parts add up to those of the whole batch.
        """
        images = self.teacher.preprocessing.normalize(views.to(self.accelerator.device))
        targets = labels.to(self.accelerator.device)
        if torch.rand(()) < self.recipe.mixup_cutmix_prob / 2:
            images, targets = mixer(len(self.manifest.classes))(images, targets)
        total = 0.0
        for some_images, some_targets in zip(
            *(torch.split(each, self.together) for each in (images, targets)), strict=True
        ):
            loss = self.loss(some_images, some_targets) * (len(some_images) / len(images))
            self.accelerator.backward(loss)
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.teacher.parameters(), self.recipe.clip_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        return total

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of a normalized batch (B, 3, H, W) with targets (B,) or (B, classes)."""
        # On a CPU the backward pass of depthwise convolutions is slower in bfloat16 than in float32.
        lower = nullcontext() if images.device.type == "cpu" else self.accelerator.autocast()
        with lower:
            logits, _ = self.teacher(images.contiguous(memory_format=torch.channels_last))
        return F.cross_entropy(logits.float(), targets, label_smoothing=self.recipe.label_smoothing)


def fit_teacher(
    manifest: Manifest,
    recipe: Recipe,
    machine: Runtime,
    *,
    seed: int,
    seconds: float | None = None,
    kept: Path | None = None,
    key: str = "",
    progress: Progress,
) -> FittedTeacher:
    """Load the teacher that `recipe` names and fit it to the training split, unless it already knows the classes.

    `kept` is the file of `save_teacher` from an interrupted training; with `key` it is used only if saved with that.
    With several processes, the main one fits it while the others wait. It takes about `seconds` at most: it leaves out
    what `plan_teacher` says, and prints that.
    Raises `CorollaError` if the teacher is not available.
    """
    started = time.monotonic()
    fitted = FittedTeacher(manifest, recipe, machine, seed, progress)

    def fit() -> tuple[dict[str, Any], TeacherPlan]:
        fit_or_read(fitted, kept, key, None if seconds is None else started + seconds)
        give_back_freed_memory()
        before = fitted.facts.get("minutes", 0.0)
        return fitted.facts | {"minutes": before + (time.monotonic() - started) / 60}, fitted.plan

    fitted.facts, fitted.plan = fitted.processes.from_main(fit)
    fitted.processes.broadcast(list(fitted.teacher.state_dict().values()))
    return fitted


def fit_or_read(fitted: FittedTeacher, kept: Path | None, key: str, until: float | None) -> None:
    """The fitting itself, in one process, `until` that time (`time.monotonic`); stores its facts in `fitted`."""
    manifest, recipe, progress = fitted.manifest, fitted.recipe, fitted.progress

    def left() -> float | None:
        return None if until is None else max(until - time.monotonic(), 0.0)

    if kept and (not key or words_of(kept).get("key") == key):
        read_teacher(fitted.teacher, kept)
        fitted.facts |= json.loads(words_of(kept).get("facts", "{}"))
        return
    if (seconds := left()) is not None:
        progress.stage("measuring the teacher", 0, 1)
        cost = fitted.cost()
        progress.stage("measuring the teacher", 1, 1)
        epochs = 0 if fitted.knows else recipe.teacher_epochs
        fitted.plan = plan_teacher(cost, left(), epochs)
        if told := fitted.plan.told(seconds, epochs, cost):
            progress.note(told)
    if fitted.knows:
        fitted.facts["val_accuracy"] = fitted.accuracy("val")
        return
    probed = fitted.facts["probe_val_accuracy"] = fitted.fit_head()
    progress.note(f"teacher {recipe.teacher}, head fitted to frozen features: val {probed:.1%}")
    if until is None and manifest.split("test"):  # for comparisons only, and expensive if the time is short
        fitted.facts["probe_test_accuracy"] = fitted.accuracy("test")
    fitted.facts["epochs"], fitted.facts["val_accuracy"] = fitted.fine_tune(fitted.plan.epochs, left())
    if fitted.facts["epochs"]:
        told = f"{count(fitted.facts['epochs'], 'epoch')}: val {fitted.facts['val_accuracy']:.1%}"
        progress.note(f"teacher {recipe.teacher}, fine-tuned for {told}")


def keep_teacher(fitted: FittedTeacher, file: Path, key: str) -> None:
    """Save the fitted teacher of a training that is stopped before it starts; `key` identifies the training."""
    save_teacher(fitted.teacher, file, {"key": key, "facts": json.dumps(fitted.facts)})
