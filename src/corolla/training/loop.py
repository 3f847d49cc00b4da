"""The training loop: an epoch of steps, a validation, a checkpoint, and again, until it is done or asked to stop.

Of several processes all train and one, the main process, writes.
"""

import signal
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from corolla.data.manifest import Split
from corolla.errors import CorollaError
from corolla.run import Run
from corolla.training.checkpoint import Position, gather_state, load_checkpoint, save_checkpoint
from corolla.training.features import digest, picture_features
from corolla.training.head import fit_head
from corolla.training.lora import merged
from corolla.training.sharding import placed
from corolla.training.stopping import Stop, Stopped
from corolla.training.trainer import Trainer, Validation

VALIDATIONS = 20  # about so many in a training
CHECKPOINT_SECONDS = 300.0  # between two within an epoch, unless told otherwise


class Loop:
    """One training from its beginning, or from where an earlier one was cut, to its end, in the folder of `run`.

    `key` says which training this is, so that a checkpoint of another one is refused; `tell` is given each epoch's row.
    """

    def __init__(
        self,
        trainer: Trainer,
        run: Run,
        key: str,
        tell: Callable[[dict[str, Any]], None],
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        stop: Stop | None = None,
    ) -> None:
        self.trainer, self.recipe, self.processes = trainer, trainer.recipe, trainer.processes
        self.run, self.key, self.tell, self.checkpoint_seconds = run, key, tell, checkpoint_seconds
        self.position, self.stop = Position(), stop or Stop()

    def fit(self, resume: bool) -> Position:
        """Train to the end, leaving weights, metrics and checkpoints on the way.

        Raises `Stopped` when that was asked for, with all of it kept.
        """
        if not (self.processes.agree(resume and self.run.checkpoint.is_file()) and self.restore()):
            self.begin()
        with self.stop.held():
            while self.position.epochs_done < self.recipe.epochs and not self.position.finished:
                row = self.epoch()
                if self.validates_after(self.position.epochs_done):
                    row |= self.validate(row["epoch"])
                self.position.next_epoch()
                self.note(row)
                self.save()
                self.trainer.progress.note(describe(row, self.position))
        if self.position.best_epoch < 0:
            raise CorollaError("the training ended without a validation; give the data a validation split")
        return self.position

    def begin(self) -> None:
        """From the first weights, which may get a head that suits them; stopped in it, nothing of it has happened."""
        self.position = Position()
        if self.processes.main:
            self.run.write_history([])
        if self.recipe.head == "probe":
            started = time.monotonic()
            row = {"epoch": 0, "epochs": self.recipe.epochs} | self.first_head()
            self.position.seconds += time.monotonic() - started
            self.note(row)
            if self.recipe.epochs:
                self.save()

    def restore(self) -> bool:
        """From the last checkpoint; False if it is of before the first head was kept, as an older corolla left it."""
        trainer = self.trainer
        self.position = load_checkpoint(self.run.checkpoint, trainer.modules, trainer.optimisers, self.key)
        reached = self.position
        if self.recipe.head == "probe" and reached.best_epoch < 0 and not (reached.epochs_done or reached.batches_done):
            return False
        trainer.average.steps = self.position.average_steps
        if self.processes.main:
            kept = [row for row in self.run.history() if row["epoch"] <= self.position.epochs_done]
            self.run.write_history(kept)
        return True

    def save(self) -> None:
        """Write a checkpoint of the last step."""
        self.position.average_steps = self.trainer.average.steps
        state = gather_state(self.trainer.modules, self.trainer.optimisers)
        if self.processes.main:
            save_checkpoint(self.run.checkpoint, self.position, state, self.key)

    def note(self, row: dict[str, Any]) -> None:
        """Keep an epoch's row."""
        if self.processes.main:
            self.run.append_history(row)
            self.tell(row)

    def epoch(self) -> dict[str, Any]:
        """Train through every picture once, from where the position is; returns the epoch's row of `metrics.jsonl`."""
        trainer, recipe, position = self.trainer, self.recipe, self.position
        epoch, begun, total = position.epochs_done, position.batches_done, len(trainer.feed)
        size = recipe.image_size_at(epoch, trainer.model.config.patch_size)
        trainer.model.train()
        started = last = saved = time.monotonic()
        batches = trainer.feed.batches(epoch, size, begun) if begun < total else ()
        for number, (pixels, labels) in enumerate(batches, start=begun):
            if number == begun:
                trainer.objective.place(len(labels))
            trainer.set_rate(epoch, number)
            update = (number + 1) % recipe.accumulate == 0 or number + 1 == total
            loss = trainer.step(pixels, labels, epoch, number, update=update)
            now = time.monotonic()
            position.batches_done, position.loss_sum = number + 1, position.loss_sum + loss
            position.seconds, position.epoch_seconds = (
                position.seconds + now - last,
                position.epoch_seconds + now - last,
            )
            last = now
            speed = (number + 1 - begun) * trainer.feed.batch_size / (now - started)
            told = f"loss {loss:.3f}  {speed:.0f} images/s"
            trainer.progress.stage(f"epoch {epoch + 1}/{recipe.epochs}", number + 1, total, told)
            if update:  # gradients that only add up are not part of a checkpoint
                due = self.processes.main and now - saved > self.checkpoint_seconds
                [asked, due_somewhere] = self.processes.totals(self.stop.asked, due)
                if asked or due_somewhere:
                    self.save()
                    saved = time.monotonic()
                if asked:
                    raise Stopped(self.stop.asked or signal.SIGINT)
        return {
            "epoch": epoch + 1,
            "epochs": recipe.epochs,
            "image_size": size,
            "train_loss": position.loss_sum / position.batches_done,
            "learning_rate": trainer.rate_at(epoch, total - 1),
            "seconds": position.epoch_seconds,
            "images_per_second": position.batches_done * trainer.feed.batch_size / position.epoch_seconds,
        }

    def validates_after(self, epoch: int) -> bool:
        """Whether epoch `epoch` (from 0) is followed by a validation: the last one always is."""
        every = max(round(self.recipe.epochs / VALIDATIONS), 1)
        return (epoch + 1) % every == 0 or epoch + 1 == self.recipe.epochs

    def validate(self, epoch: int) -> dict[str, Any]:
        """Ask about the validation split and judge; a stop that is asked for meanwhile comes before the answers."""
        started = time.monotonic()

        def look(done: int, total: int) -> None:
            self.trainer.progress.stage("validating", done, total)
            if self.stop.asked and self.processes.count == 1:  # several would have to agree at every batch
                if epoch:  # the first head is fitted anew
                    self.save()
                raise Stopped(self.stop.asked)

        validation = self.trainer.validate(look)
        self.position.seconds += time.monotonic() - started
        return self.judge(epoch, validation)

    def judge(self, epoch: int, validation: Validation) -> dict[str, Any]:
        """Keep the averaged weights if they are the best so far, and end if they have not been for long."""
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

    def first_head(self) -> dict[str, Any]:
        """Fit the head to the frozen features of what the training begins with (arXiv 2202.10054)."""
        trainer, model = self.trainer, self.trainer.average.whole()
        manifest, device = trainer.manifest, trainer.accelerator.device

        def extract(images: Tensor) -> Tensor:
            return model.pool(model.encode(images))

        def features(split: Split) -> Tensor:
            def tell(done: int, total: int) -> None:
                trainer.progress.stage(f"features of {split}", done, total)

            examples = manifest.split(split)
            own = examples[self.processes.part(len(examples)).start : self.processes.part(len(examples)).stop]
            rows = picture_features(manifest.root, own, extract, trainer.preprocessing, device, tell, digest(model))
            return torch.from_numpy(self.processes.joined(rows.numpy(), len(examples)))

        labels, val_labels = (torch.tensor(manifest.labels(split)) for split in ("train", "val"))
        train, val = features("train"), features("val")

        def tell(done: int, total: int) -> None:
            trainer.progress.stage("fitting the head", done, total)

        classes = len(manifest.classes)
        fitted = self.processes.from_main(lambda: fit_head(train, labels, val, val_labels, classes, progress=tell))
        with torch.no_grad():
            for each in (trainer.model, trainer.average.model):
                for head in (each.head, each.distillation_head):
                    if head is not None:
                        head.weight.copy_(placed(fitted.weight, like=head.weight))
                        head.bias.copy_(placed(fitted.bias, like=head.bias))
        row = self.validate(0)
        trainer.progress.note(
            f"head fitted to frozen features: val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        )
        return row | {"head_strength": fitted.strength}


def describe(row: dict[str, Any], position: Position) -> str:
    """One line about an epoch."""
    said = f"epoch {row['epoch']}/{row['epochs']}  {row['image_size']} px  loss {row['train_loss']:.3f}"
    if "val_accuracy" in row:
        said += f"  val {row['val_accuracy']:.1%} (loss {row['val_loss']:.3f})"
        said += "  best" if row["best"] else f"  best {position.best_accuracy:.1%} at {position.best_epoch}"
    return f"{said}  {row['images_per_second']:.0f} images/s  {row['seconds']:.1f} s"
