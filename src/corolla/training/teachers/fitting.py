"""A teacher is fitted to the pictures before it teaches: its head on frozen features first, then all of it."""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW

from corolla.data.manifest import Manifest, Split
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.sealed import DamagedError, load_sealed, save_sealed
from corolla.training.features import digest, split_features
from corolla.training.head import fit_head
from corolla.training.machine import Machine
from corolla.training.optimisation import learning_rate_factor
from corolla.training.pictures import EpochSampler, TrainingPictures, training_loader
from corolla.training.recipe import Recipe
from corolla.training.teachers.backbones import load_backbone
from corolla.training.teachers.teacher import Teacher
from corolla.training.views.mixing import mixer
from corolla.training.views.randomness import seed_of

SHARE = 0.15  # of a training's minutes, at most, for the teacher's fine-tuning
LEARNING_RATE, WEIGHT_DECAY, WARMUP = 3e-4, 0.05, 0.1
TRIAL_STEPS = 3


class FittedTeacher:
    """The teacher that `recipe` names with a head for one manifest's classes; `facts` say how well it does."""

    def __init__(self, manifest: Manifest, recipe: Recipe, machine: Machine, seed: int, progress: Progress) -> None:
        self.manifest, self.recipe, self.seed, self.progress = manifest, recipe, seed, progress
        self.accelerator, self.workers, self.processes = machine.accelerator(), machine.workers, machine.processes
        self.facts: dict[str, Any] = {"name": recipe.teacher}
        self.frozen = True  # the backbone is as it was loaded, so its features may be kept for other trainings
        pretrained = load_backbone(recipe.teacher)
        teacher = Teacher(pretrained, len(manifest.classes))
        self.teacher = teacher.to(self.accelerator.device).to(memory_format=torch.channels_last)
        self.knows = pretrained.head is not None and pretrained.classes == manifest.classes
        if self.knows and pretrained.head is not None:
            self.teacher.head.load_state_dict(pretrained.head.state_dict())

    def labels(self, split: Split) -> Tensor:
        """The class numbers of a split (pictures,)."""
        return torch.tensor(self.manifest.labels(split))

    def features(self, split: Split) -> Tensor:
        """The backbone's frozen features (pictures, 2, C) of a split."""

        def extract(images: Tensor) -> Tensor:
            with self.accelerator.autocast():
                feature: Tensor = self.teacher.backbone(images.contiguous(memory_format=torch.channels_last))[1]
            return feature

        def tell(done: int, total: int) -> None:
            self.progress.stage(f"the teacher looks at {split}", done, total)

        key = f"{digest(self.teacher.backbone)} {self.accelerator.mixed_precision}" if self.frozen else ""
        return split_features(
            self.manifest, split, extract, self.teacher.preprocessing, self.accelerator.device, tell, key
        )

    def fit_head(self) -> float:
        """Give the frozen backbone its head; returns the accuracy on validation."""

        def tell(done: int, total: int) -> None:
            self.progress.stage("fitting the teacher's head", done, total)

        head = fit_head(
            self.features("train"), self.labels("train"), self.features("val"), self.labels("val"),
            len(self.manifest.classes), progress=tell,
        )  # fmt: skip
        with torch.no_grad():
            self.teacher.head.weight.copy_(head.weight)
            self.teacher.head.bias.copy_(head.bias)
        return head.accuracy

    def accuracy(self, split: Split) -> float:
        """The share of a split that the teacher answers rightly, each picture averaged with its mirror image."""
        with torch.inference_mode():
            chances = self.teacher.head(self.features(split).to(self.accelerator.device)).softmax(dim=-1).mean(dim=1)
        return float((chances.argmax(dim=1).cpu() == self.labels(split)).float().mean())

    def fine_tune(self, epochs: int, minutes: float | None) -> tuple[int, float]:
        """Train all of it for `epochs`, or as many as `SHARE` of `minutes` holds, and keep what validates better.

        Returns the epochs and the accuracy on validation.
        """
        pixels = max(self.teacher.preprocessing.image_size)

        def tell(done: int, total: int) -> None:
            self.progress.stage("decoding for the teacher", done, total)

        pictures = TrainingPictures.of(self.manifest, self.recipe, pixels, tell, self.progress.note)
        sampler = EpochSampler(len(pictures), self.recipe.batch_size, self.seed)
        sampler.size = pixels
        optimiser = AdamW(self.teacher.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        if minutes is not None:
            epochs = min(epochs, math.floor(SHARE * minutes * 60 / (self.step_seconds(pixels) * len(sampler))))
        if epochs < 1:
            return 0, self.accuracy("val")
        before = {name: tensor.clone() for name, tensor in self.teacher.state_dict().items()}
        was = self.accuracy("val")
        self.frozen = False
        mix = mixer(len(self.manifest.classes))
        loader, steps = training_loader(pictures, sampler, self.workers), epochs * len(sampler)
        for epoch in range(epochs):
            torch.manual_seed(seed_of(self.seed, epoch, "teacher"))
            sampler.epoch = epoch
            for number, (views, labels) in enumerate(loader):
                factor = learning_rate_factor(epoch * len(sampler) + number, steps, WARMUP)
                for group in optimiser.param_groups:
                    group["lr"] = LEARNING_RATE * factor
                images = self.teacher.preprocessing.normalise(views.to(self.accelerator.device))
                targets = labels.to(self.accelerator.device)
                if torch.rand(()) < self.recipe.mixing / 2:
                    images, targets = mix(images, targets)
                loss = self.loss(images, targets)
                self.accelerator.backward(loss)
                torch.nn.utils.clip_grad_norm_(self.teacher.parameters(), self.recipe.clip_norm)
                optimiser.step()
                optimiser.zero_grad()
                self.progress.stage(
                    f"teacher, epoch {epoch + 1}/{epochs}", number + 1, len(sampler), f"loss {loss:.3f}"
                )
        now = self.accuracy("val")
        if not now > was:  # nothing was gained, or the weights are not finite
            self.teacher.load_state_dict(before)
            self.frozen = True
        return epochs, max(now, was)

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of a normalised batch (B, 3, H, W) with targets (B,) or (B, classes)."""
        # On a CPU the backward of depthwise convolutions takes longer in bfloat16 than in float32.
        lower = nullcontext() if images.device.type == "cpu" else self.accelerator.autocast()
        with lower:
            logits, _ = self.teacher(images.contiguous(memory_format=torch.channels_last))
        return F.cross_entropy(logits.float(), targets, label_smoothing=self.recipe.label_smoothing)

    def step_seconds(self, pixels: int) -> float:
        """What one step takes here, roughly."""
        count = min(self.recipe.batch_size, len(self.manifest.split("train")))
        images = torch.zeros(count, 3, pixels, pixels, device=self.accelerator.device)
        labels = torch.zeros(count, dtype=torch.long, device=self.accelerator.device)
        times = []
        for _ in range(TRIAL_STEPS):
            started = time.monotonic()
            self.accelerator.backward(self.loss(images, labels))
            times.append(time.monotonic() - started)
        self.teacher.zero_grad()
        return min(times)


def fit_teacher(
    manifest: Manifest,
    recipe: Recipe,
    machine: Machine,
    *,
    seed: int,
    minutes: float | None = None,
    kept: Path | None = None,
    progress: Progress,
) -> FittedTeacher:
    """Load the teacher that `recipe` names and fit it to the training split; one that knows the classes stays as it is.

    `kept` is where `save_teacher` left it when the training was interrupted. Of several processes the main one fits it,
    while the others wait. Raises `CorollaError` for a teacher that cannot be had.
    """
    started = time.monotonic()
    fitted = FittedTeacher(manifest, recipe, machine, seed, progress)

    def fit() -> dict[str, Any]:
        fit_or_read(fitted, kept, minutes)
        return fitted.facts | {"minutes": (time.monotonic() - started) / 60}

    fitted.facts = fitted.processes.from_main(fit)
    fitted.processes.spread(list(fitted.teacher.state_dict().values()))
    return fitted


def fit_or_read(fitted: FittedTeacher, kept: Path | None, minutes: float | None) -> None:
    """The fitting itself, in one process; its facts are told to `fitted`."""
    manifest, recipe, progress = fitted.manifest, fitted.recipe, fitted.progress
    if kept:
        read_teacher(fitted.teacher, kept)
    elif fitted.knows:
        fitted.facts["val_accuracy"] = fitted.accuracy("val")
    else:
        probed = fitted.facts["probe_val_accuracy"] = fitted.fit_head()
        progress.note(f"teacher {recipe.teacher}, its head fitted to frozen features: val {probed:.1%}")
        if manifest.split("test"):
            fitted.facts["probe_test_accuracy"] = fitted.accuracy("test")
        fitted.facts["epochs"], fitted.facts["val_accuracy"] = fitted.fine_tune(recipe.teacher_epochs, minutes)
        told = f"{fitted.facts['epochs']} epochs: val {fitted.facts['val_accuracy']:.1%}"
        progress.note(f"teacher {recipe.teacher}, fine-tuned for {told}")


def save_teacher(teacher: Teacher, file: Path) -> None:
    """Keep a fitted teacher for a training that may be interrupted."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in teacher.state_dict().items()}
    save_sealed(state, file)


def read_teacher(teacher: Teacher, file: Path) -> None:
    """Put a kept teacher's weights back; `CorollaError` if they are damaged."""
    try:
        teacher.load_state_dict(load_sealed(file)[0])
    except (OSError, DamagedError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CorollaError(
            f"cannot continue with the teacher in {file}: {first}; start anew with another --out"
        ) from None
