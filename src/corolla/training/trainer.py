"""The trainer: an epoch of training steps, a validation, a checkpoint, and again, until it is done or stopped.

Every step starts from its own seed, derived from the run's seed, the epoch and the batch, and every process draws the
same random numbers for the whole batch. So a training can be stopped between any two steps and resumed, with more or
fewer processes, with the same result. With several processes, all train and only the main process writes.
"""

import math
import signal
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.run import Run
from corolla.text import rate
from corolla.training import clock
from corolla.training.budget import validates
from corolla.training.checkpoint import CHECKPOINT_SECONDS, Checkpointer, TrainState
from corolla.training.distillation import Distillation
from corolla.training.ema import ModelEma
from corolla.training.lora import merged
from corolla.training.loss import TrainingLoss, balanced_class_weights, diagnose_nonfinite
from corolla.training.model_init import choose_trainable, initialize, probe_head, set_heads
from corolla.training.optimizers import build_optimizers
from corolla.training.recipe import Recipe
from corolla.training.replanning import TimeBudget
from corolla.training.rng import seed_of
from corolla.training.runtime import Runtime
from corolla.training.schedule import Pace, learning_rate_at, set_learning_rate
from corolla.training.sharding import full_tensor, shard
from corolla.training.stopping import GracefulShutdown, Stopped
from corolla.training.streaming_loader import image_loader
from corolla.training.summary import describe_epoch
from corolla.training.sync_batch_norm import share_norms
from corolla.training.teachers.teacher import Teacher
from corolla.training.transforms.mixing import BatchMixer
from corolla.training.validation import ReadyImages, validate
from corolla.weights import Weights

Row = dict[str, Any]  # an epoch's metrics


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
        self.processes, device = machine.processes, self.accelerator.device
        start, classes = initialize(recipe, len(manifest.classes), weights), len(manifest.classes)
        self.preprocessing = start.preprocessing
        model = start.model(seed)
        choose_trainable(model, recipe, machine.fsdp)
        if not machine.fsdp:  # FSDP shards contiguous memory only
            # Convolutions are faster in channels-last order.
            model.patch_embed.to(memory_format=torch.channels_last)
        several = self.processes.count > 1
        if several:
            share_norms(model)
        self.model = model.to(device)
        self.average = ModelEma(model, recipe.ema_decay)
        self.distillation = None
        if teacher is not None:
            self.distillation = Distillation(recipe, teacher, model, self.preprocessing, shared=several).to(device)
        balance = None if recipe.class_weights == "none" else balanced_class_weights(manifest).to(device)
        self.objective = TrainingLoss(model, recipe, self.distillation, balance, self.precision, self.processes)
        if machine.fsdp:
            shard(model, self.objective)
            self.average.shard()
            self.shared: nn.Module = self.objective
        else:
            self.shared = self.accelerator.prepare(self.objective)
        beside = [self.distillation] if self.distillation else []
        self.optimizers = build_optimizers(model, recipe, self.precision.dtype, *beside)
        self.mix = BatchMixer(classes, recipe.mixup_cutmix_prob, self.preprocessing, self.processes)
        validated = [manifest.locate(example) for example in manifest.split("val")]
        own = self.processes.shard_range(len(validated))
        self.validation_images = ReadyImages(validated[own.start : own.stop], self.preprocessing)
        self.validation_labels = np.array(manifest.labels("val"))
        if recipe.epochs:
            first = self.accelerator.local_main_process_first
            self.feed = image_loader(manifest, recipe, seed, machine.workers, self.processes, progress, first)
        self.position = TrainState(pace=Pace(recipe.length))

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules of a checkpoint by name."""
        beside: dict[str, nn.Module] = {"distillation": self.distillation} if self.distillation else {}
        return {"model": self.model, "average": self.average.model} | beside

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return -(-len(self.feed) // self.recipe.grad_accum_steps)

    @property
    def images(self) -> int:
        """Images of a whole epoch that are trained on, in whole batches."""
        return len(self.feed) * self.feed.batch_size

    @property
    def batches(self) -> int:
        """Batches of a whole epoch; 1 if the training has no epochs."""
        return len(self.feed) if self.recipe.epochs else 1

    def step(self, pixels: Tensor, labels: Tensor, epoch: int, number: int, *, update: bool = True) -> float:
        """One batch: uint8 views (B, 3, H, W) and class numbers (B,); returns its loss, checked to be finite.

        If several processes share the batch, B is this process's part and the loss is that of the whole batch. Without
        `update` the gradients are only accumulated. `epoch` and `number` (from 0) seed the step's RNG.
        """
        torch.manual_seed(seed_of(self.seed, epoch, number, "step"))
        device = self.accelerator.device
        images, targets = self.mix(pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True))
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

    def fit(
        self,
        run: Run,
        key: str = "",
        *,
        resume: bool = False,
        tell: Callable[[Row], None] = lambda row: None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        budget: TimeBudget | None = None,
        stop: GracefulShutdown | None = None,
        started: float | None = None,
    ) -> TrainState:
        """Train to the end, and write weights, metrics and checkpoints into `run` on the way.

        `key` identifies the training, so that a checkpoint of another one is rejected; `tell` receives each epoch's
        row. With `budget` the number of epochs follows the remaining time. `started` is the start of the command.
        Raises `Stopped` on request, after everything is saved.
        """
        self.run, self.tell, self.budget, self.stop = run, tell, budget, stop or GracefulShutdown()
        self.checkpoints = Checkpointer(run, key, self.modules, self.optimizers, self.processes, checkpoint_seconds)
        self.watch = clock.CommandClock(started)
        if not (self.processes.broadcast_object(resume and run.checkpoint.is_file()) and self.restore()):
            self.begin()
        with self.stop.held():
            while not self.ended():
                row = self.epoch()
                if self.validation_due():
                    row |= self.validate(row["epoch"])
                self.position.next_epoch()
                self.position.seconds += self.watch.lap()
                self.note(row)
                if self.checkpoints.due(self.ended()):
                    self.save()
                self.progress.note(describe_epoch(row, self.position))
            self.position.seconds += self.watch.lap()
        if self.position.best_epoch < 0:
            raise CorollaError("the training ended without a validation; give the data a validation split")
        return self.position

    def begin(self) -> None:
        """Start from the initial weights, with a fitted head if the recipe wants it; if stopped, it starts over."""
        self.position = TrainState(pace=Pace(self.recipe.length))
        if self.processes.main:
            self.run.write_history([])
        if self.recipe.head == "probe":
            row = {"epoch": 0, "epochs": self.recipe.epochs} | self.linear_probe_init()
            self.position.seconds += self.watch.lap()
            self.note(row)
            if self.recipe.epochs:
                self.save()

    def restore(self) -> bool:
        """Resume the last checkpoint; False if it was written before the initial head was saved."""
        self.position = reached = self.checkpoints.load()
        if self.recipe.head == "probe" and reached.best_epoch < 0 and not (reached.epochs_done or reached.batches_done):
            return False
        self.average.steps, self.watch.earlier = reached.average_steps, reached.spent
        if self.processes.main:
            self.run.write_history([row for row in self.run.history() if row["epoch"] <= reached.epochs_done])
        return True

    def save(self) -> None:
        """Write a checkpoint of the last step."""
        self.position.average_steps, self.position.spent = self.average.steps, self.watch.spent()
        self.checkpoints.save(self.position)

    def note(self, row: Row) -> None:
        """Save an epoch's row."""
        if self.processes.main:
            self.run.append_history(row)
            self.tell(row)

    def ended(self) -> bool:
        """Whether all epochs are done, or early stopping has ended the training."""
        if not self.recipe.epochs or self.position.finished:
            return True
        return self.position.epochs_done * self.batches >= self.position.pace.batches(self.batches)

    def done(self) -> float:
        """The progress of the training in [0, 1]."""
        return self.position.pace.at(self.position.epochs_done + self.position.batches_done / self.batches)

    def image_size(self, epoch: int) -> int:
        """The image size of an epoch (from 0) in the current plan."""
        return self.recipe.image_size_at(self.position.pace.at(epoch), self.model.config.patch_size)

    def epoch(self) -> Row:
        """Train one epoch from the current position on; returns the epoch's row of `metrics.jsonl`."""
        recipe, position = self.recipe, self.position
        epoch, first, whole = position.epochs_done, position.batches_done, self.batches
        end = min(position.pace.batches(whole) - epoch * whole, whole)
        if not first:
            position.image_size = self.image_size(epoch)
        size = position.image_size
        self.model.train()
        position.seconds += self.watch.lap()
        started = self.watch.last
        batches = self.feed.batches(epoch, size, first) if first < end else iter(())
        number = first
        while number < end:
            pixels, labels = next(batches)
            if number == first:
                self.objective.place(len(labels))
            # The next epoch's first views are computed while this epoch ends.
            if number + 1 == whole and position.pace.batches(whole) > (epoch + 1) * whole:
                self.feed.prepare(epoch + 1, self.image_size(epoch + 1))
            fetched = clock.now()
            now = learning_rate_at(recipe, position.pace, epoch, number, self.steps_per_epoch)
            set_learning_rate(self.optimizers, now)
            update = (number + 1) % recipe.grad_accum_steps == 0 or number + 1 == end
            loss = self.step(pixels, labels, epoch, number, update=update)
            position.step_seconds += clock.now() - fetched
            number += 1
            position.batches_done, position.loss_sum = number, position.loss_sum + loss
            passed = self.watch.lap()
            position.seconds += passed
            position.epoch_seconds += passed
            speed = (number - first) * self.feed.batch_size / (self.watch.last - started)
            title = f"epoch {epoch + 1}/{math.ceil(position.pace.epochs)}"
            self.progress.stage(title, number, end, f"loss {loss:.3f}  {rate(speed)} images/s")
            if self.budget:
                self.budget.saw(size, self.feed.batch_size, passed)
            if update:  # accumulated gradients are not part of a checkpoint
                self.between_steps(epoch + number / whole)
                end = min(max(position.pace.batches(whole) - epoch * whole, number), whole)
        learning_rate = learning_rate_at(recipe, position.pace, epoch, number - 1, self.steps_per_epoch)
        return position.row(learning_rate, self.feed.batch_size)

    def between_steps(self, epochs: float) -> None:
        """Replan, save and stop after `epochs`, whichever of these is due in any of the processes."""
        main, now = self.processes.main, self.watch.last
        late, replan = main and self.checkpoints.late(now), main and self.budget is not None and self.budget.due(now)
        [asked, save, changes] = self.processes.all_reduce(self.stop.asked, late, replan)
        if changes and self.budget:
            self.position.pace = self.budget.replanned(self.position.pace, epochs, self.processes, self.progress)
        if asked or save:
            self.save()
        if asked:
            raise Stopped(self.stop.asked or signal.SIGINT)

    def validation_due(self) -> bool:
        """Whether a validation follows the epoch that has just ended; the last epoch always has one."""
        position, whole = self.position, self.batches
        if position.epochs_done * whole + position.batches_done >= position.pace.batches(whole):
            return True
        return validates(self.done(), position.validated_at, self.recipe.validations)

    def validate(self, epoch: int) -> Row:
        """Validate, and save the weights if they are the best; a stop request meanwhile aborts the validation."""
        started = clock.now()

        def look(done: int, total: int) -> None:
            self.progress.stage("validating", done, total)
            if self.stop.asked and self.processes.count == 1:  # several would have to synchronize at every batch
                if epoch:  # the initial head is fitted again
                    self.save()
                raise Stopped(self.stop.asked)

        classifier = Classifier(
            self.average.whole(), self.preprocessing, self.manifest.classes,
            flip=self.recipe.hflip_tta, device=str(self.accelerator.device), precision=self.precision,
        )  # fmt: skip
        found = validate(classifier, self.validation_images, self.validation_labels, self.processes, look)
        seconds = clock.now() - started
        if self.budget:
            self.budget.validated(seconds)
        self.position.validated_at = self.done()
        better = self.position.judge(epoch, found.accuracy, found.loss, self.recipe.patience)
        if better:
            best = merged(self.average.whole())
            if self.processes.main:
                self.run.save_model(best)
        row = {"val_accuracy": found.accuracy, "val_loss": found.loss, "best": better}
        return row | {"validation_seconds": seconds}

    def linear_probe_init(self) -> Row:
        """Fit the head to the frozen features of the initial weights, and validate it (arXiv 2202.10054)."""
        model, device = self.average.whole(), self.accelerator.device
        fitted = probe_head(self.manifest, model, self.preprocessing, device, self.processes, self.progress)
        set_heads(self.model, fitted)
        set_heads(self.average.model, fitted)
        row = self.validate(0)
        accuracy, loss = row["val_accuracy"], row["val_loss"]
        self.progress.note(f"head fitted to frozen features: val {accuracy:.1%} (loss {loss:.3f})")
        return row | {"head_strength": fitted.strength}
