"""The training loop: an epoch of steps, a validation, a checkpoint, and again, until it is done or stopped.

With several processes, all train and only the main process writes.
"""

import math
import signal
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from corolla.data.manifest import Split
from corolla.errors import CorollaError
from corolla.run import Run
from corolla.text import rate
from corolla.training import clock
from corolla.training.budget import validates
from corolla.training.checkpoint import TrainState, gather_state, load_checkpoint, save_checkpoint
from corolla.training.features import digest, image_features
from corolla.training.linear_probe import fit_head
from corolla.training.lora import merged
from corolla.training.pace import Pace
from corolla.training.replanning import TimeBudget
from corolla.training.sharding import distribute_like
from corolla.training.stopping import GracefulShutdown, Stopped
from corolla.training.trainer import Trainer, Validation

CHECKPOINT_SECONDS = 300.0  # between two checkpoints within an epoch, by default
TELLING = 0.1  # a new plan is printed if the epochs change by this fraction
CHECKPOINT_SHARE = 0.01  # of a training's time for checkpoints between epochs


class Loop:
    """One training in the folder of `run`, from its start or its last checkpoint to its end.

    `key` identifies the training, so that a checkpoint of another one is rejected; `tell` receives each epoch's row.
    With `budget` the number of epochs follows the remaining time. `started` is the start of the command.
    """

    def __init__(
        self,
        trainer: Trainer,
        run: Run,
        key: str,
        tell: Callable[[dict[str, Any]], None],
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        budget: TimeBudget | None = None,
        stop: GracefulShutdown | None = None,
        started: float | None = None,
    ) -> None:
        self.trainer, self.recipe, self.processes = trainer, trainer.recipe, trainer.processes
        self.run, self.key, self.tell, self.checkpoint_seconds = run, key, tell, checkpoint_seconds
        self.budget = budget
        self.position, self.stop = TrainState(pace=Pace(self.recipe.length)), stop or GracefulShutdown()
        self.told = self.recipe.length  # the number of epochs last printed
        self.last = self.saved = clock.now()
        self.save_seconds = 0.0  # that the last checkpoint took
        self.started = self.last if started is None else started
        self.earlier = 0.0  # seconds of the command before it was stopped and resumed

    def fit(self, resume: bool) -> TrainState:
        """Train to the end, and write weights, metrics and checkpoints on the way.

        Raises `Stopped` on request, after everything is saved.
        """
        self.last = self.saved = clock.now()
        if not (self.processes.broadcast_object(resume and self.run.checkpoint.is_file()) and self.restore()):
            self.begin()
        with self.stop.held():
            while not self.ended():
                row = self.epoch()
                if self.validates():
                    row |= self.validate(row["epoch"])
                self.position.next_epoch()
                self.count_time()
                self.note(row)
                if self.due():
                    self.save()
                self.trainer.progress.note(describe(row, self.position))
            self.count_time()
        if self.position.best_epoch < 0:
            raise CorollaError("the training ended without a validation; give the data a validation split")
        return self.position

    def ended(self) -> bool:
        """Whether all epochs are done, or early stopping has ended the training."""
        position = self.position
        if not self.recipe.epochs or position.finished:
            return True
        return position.epochs_done * len(self.trainer.feed) >= position.pace.batches(len(self.trainer.feed))

    def begin(self) -> None:
        """Start from the initial weights, with a fitted head if the recipe wants it; if stopped, it starts over."""
        self.position = TrainState(pace=Pace(self.recipe.length))
        if self.processes.main:
            self.run.write_history([])
        if self.recipe.head == "probe":
            row = {"epoch": 0, "epochs": self.recipe.epochs} | self.linear_probe_init()
            self.count_time()
            self.note(row)
            if self.recipe.epochs:
                self.save()

    def restore(self) -> bool:
        """Resume the last checkpoint; False if an older corolla wrote it before the initial head was saved."""
        trainer = self.trainer
        self.position = load_checkpoint(self.run.checkpoint, trainer.modules, trainer.optimizers, self.key)
        reached = self.position
        if self.recipe.head == "probe" and reached.best_epoch < 0 and not (reached.epochs_done or reached.batches_done):
            return False
        if not self.position.pace.epochs:  # written by a version without replanning
            self.position.pace = Pace(self.recipe.length)
        trainer.average.steps, self.earlier = self.position.average_steps, self.position.spent
        if self.processes.main:
            kept = [row for row in self.run.history() if row["epoch"] <= self.position.epochs_done]
            self.run.write_history(kept)
        return True

    def due(self) -> bool:
        """Whether a checkpoint is due between two epochs: at the end, and as often as it costs little."""
        waited = clock.now() - self.saved
        wanted = self.ended() or waited >= min(self.save_seconds / CHECKPOINT_SHARE, self.checkpoint_seconds)
        return bool(self.processes.broadcast_object(wanted))

    def save(self) -> None:
        """Write a checkpoint of the last step."""
        started = clock.now()
        self.position.average_steps, self.position.spent = self.trainer.average.steps, self.spent()
        state = gather_state(self.trainer.modules, self.trainer.optimizers)
        if self.processes.main:
            save_checkpoint(self.run.checkpoint, self.position, state, self.key)
        self.saved = clock.now()
        self.save_seconds = self.saved - started

    def note(self, row: dict[str, Any]) -> None:
        """Save an epoch's row."""
        if self.processes.main:
            self.run.append_history(row)
            self.tell(row)

    def spent(self) -> float:
        """Seconds of the whole command, including the time before it was resumed."""
        return self.earlier + clock.now() - self.started

    def count_time(self) -> float:
        """Seconds since the last call; they are added to the position's."""
        now = clock.now()
        passed, self.last = now - self.last, now
        self.position.seconds += passed
        return passed

    def epoch(self) -> dict[str, Any]:
        """Train one epoch from the current position on; returns the epoch's row of `metrics.jsonl`."""
        trainer, recipe, position = self.trainer, self.recipe, self.position
        epoch, begun, whole = position.epochs_done, position.batches_done, len(trainer.feed)
        end = min(position.pace.batches(whole) - epoch * whole, whole)
        if not begun:
            position.image_size = self.image_size(epoch)
        size = position.image_size
        trainer.model.train()
        self.count_time()
        started = self.last
        batches = trainer.feed.batches(epoch, size, begun) if begun < end else iter(())
        number = begun
        while number < end:
            pixels, labels = next(batches)
            if number == begun:
                trainer.objective.place(len(labels))
            # The next epoch's first views are computed while this epoch ends.
            if number + 1 == whole and position.pace.batches(whole) > (epoch + 1) * whole:
                trainer.feed.prepare(epoch + 1, self.image_size(epoch + 1))
            fetched = clock.now()
            trainer.set_rate(epoch, number, position.pace)
            update = (number + 1) % recipe.grad_accum_steps == 0 or number + 1 == end
            loss = trainer.step(pixels, labels, epoch, number, update=update)
            position.step_seconds += clock.now() - fetched
            number += 1
            position.batches_done, position.loss_sum = number, position.loss_sum + loss
            passed = self.count_time()
            position.epoch_seconds += passed
            speed = (number - begun) * trainer.feed.batch_size / (self.last - started)
            told = f"loss {loss:.3f}  {rate(speed)} images/s"
            trainer.progress.stage(f"epoch {epoch + 1}/{math.ceil(position.pace.epochs)}", number, end, told)
            if self.budget:
                self.budget.saw(size, trainer.feed.batch_size, passed)
            if update:  # accumulated gradients are not part of a checkpoint
                due = self.processes.main and self.last - self.saved > self.checkpoint_seconds
                again = self.budget is not None and self.processes.main and self.budget.due(self.last)
                [asked, due_somewhere, plan] = self.processes.all_reduce(self.stop.asked, due, again)
                if plan:
                    self.plan_again(epoch + number / whole)
                    end = min(max(position.pace.batches(whole) - epoch * whole, number), whole)
                if asked or due_somewhere:
                    self.save()
                if asked:
                    raise Stopped(self.stop.asked or signal.SIGINT)
        return {
            "epoch": epoch + 1,
            "epochs": math.ceil(position.pace.epochs),
            "image_size": size,
            "train_loss": position.loss_sum / position.batches_done,
            "learning_rate": trainer.rate_at(epoch, number - 1, position.pace),
            "seconds": position.epoch_seconds,
            "step_seconds": position.step_seconds,
            "images_per_second": position.batches_done * trainer.feed.batch_size / position.epoch_seconds,
        }

    @property
    def whole(self) -> int:
        """Batches of a whole epoch; 1 if the training has no epochs."""
        return len(self.trainer.feed) if self.recipe.epochs else 1

    def image_size(self, epoch: int) -> int:
        """The image size of an epoch (from 0) in the current plan."""
        return self.recipe.image_size_at(self.position.pace.at(epoch), self.trainer.model.config.patch_size)

    def plan_again(self, done: float) -> None:
        """Fit the rest of the training after `done` epochs to the remaining time."""
        pace = self.position.pace
        epochs = self.processes.broadcast_object(self.budget.epochs_left(pace, done) if self.budget else None)
        if epochs is None:
            return
        self.position.pace = pace.replanned(done, done + epochs)
        if abs(done + epochs - self.told) > TELLING * self.told:  # smaller changes are not worth a line
            slower = "slower" if done + epochs < self.told else "faster"
            self.trainer.progress.note(
                f"this machine is {slower} than planned: {done + epochs:.1f} epochs instead of {self.told:.1f}"
            )
            self.told = done + epochs

    def validates(self) -> bool:
        """Whether a validation follows the epoch that has just ended; the last epoch always has one."""
        position, whole = self.position, self.whole
        if position.epochs_done * whole + position.batches_done >= position.pace.batches(whole):
            return True
        return validates(self.progress(), position.validated_at, self.recipe.validations)

    def progress(self) -> float:
        """The progress of the training in [0, 1]."""
        return self.position.pace.at(self.position.epochs_done + self.position.batches_done / self.whole)

    def validate(self, epoch: int) -> dict[str, Any]:
        """Validate, and save the weights if they are the best; a stop request meanwhile aborts the validation."""
        started = clock.now()

        def look(done: int, total: int) -> None:
            self.trainer.progress.stage("validating", done, total)
            if self.stop.asked and self.processes.count == 1:  # several would have to synchronize at every batch
                if epoch:  # the initial head is fitted again
                    self.save()
                raise Stopped(self.stop.asked)

        validation = self.trainer.validate(look)
        seconds = clock.now() - started
        if self.budget:
            self.budget.validated(seconds)
        self.position.validated_at = self.progress()
        return self.judge(epoch, validation) | {"validation_seconds": seconds}

    def judge(self, epoch: int, validation: Validation) -> dict[str, Any]:
        """Save the averaged weights if they are the best so far; stop early if there was no improvement for long."""
        position = self.position
        better = (validation.accuracy, -validation.loss) > (position.best_accuracy, -position.best_loss)
        if better:
            position.best_epoch, position.since_best = epoch, 0
            position.best_accuracy, position.best_loss = validation.accuracy, validation.loss
            best = merged(self.trainer.average.whole())
            if self.processes.main:
                self.run.save_model(best)
        else:
            position.since_best += 1
            position.finished = 0 < self.recipe.patience <= position.since_best
        return {"val_accuracy": validation.accuracy, "val_loss": validation.loss, "best": better}

    def linear_probe_init(self) -> dict[str, Any]:
        """Fit the head to the frozen features of the initial model (arXiv 2202.10054)."""
        trainer, model = self.trainer, self.trainer.average.whole()
        manifest, device = trainer.manifest, trainer.accelerator.device

        def extract(images: Tensor) -> Tensor:
            return model.pool(model.forward_features(images))

        def features(split: Split) -> Tensor:
            def tell(done: int, total: int) -> None:
                trainer.progress.stage(f"features of {split}", done, total)

            examples = manifest.split(split)
            own = self.processes.shard_range(len(examples))
            part = examples[own.start : own.stop]
            rows = image_features(manifest.root, part, extract, trainer.preprocessing, device, tell, digest(model))
            return torch.from_numpy(self.processes.all_gather(rows.numpy(), len(examples)))

        labels, val_labels = (torch.tensor(manifest.labels(split)) for split in ("train", "val"))
        train, val = features("train"), features("val")

        def tell(done: int, total: int) -> None:
            trainer.progress.stage("fitting the head", done, total)

        classes = len(manifest.classes)
        fitted = self.processes.from_main(lambda: fit_head(train, labels, val, val_labels, classes, progress=tell))
        with torch.no_grad():
            for each in (trainer.model, trainer.average.model):
                for head in (each.head, each.head_dist):
                    if head is not None:
                        head.weight.copy_(distribute_like(fitted.weight, like=head.weight))
                        head.bias.copy_(distribute_like(fitted.bias, like=head.bias))
        row = self.validate(0)
        trainer.progress.note(
            f"head fitted to frozen features: val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        )
        return row | {"head_strength": fitted.strength}


def describe(row: dict[str, Any], position: TrainState) -> str:
    """One line about an epoch."""
    said = f"epoch {row['epoch']}/{row['epochs']}  {row['image_size']} px  loss {row['train_loss']:.3f}"
    if "val_accuracy" in row:
        said += f"  val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        said += "  best" if row["best"] else f"  best {position.best_accuracy:.1%} at {position.best_epoch}"
    return f"{said}  {rate(row['images_per_second'])} images/s  {row['seconds']:.1f} s"
