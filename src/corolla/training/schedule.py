"""The schedule of a training: its progress from 0 to 1 by epochs, and the learning rate at each step.

The progress also sets image size and validations. In a training of a fixed number of epochs it is linear from 0 to 1. A
training with a time budget may be replanned for more or fewer epochs; from then on it is linear to the new end.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corolla.training.recipe import Recipe

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True)
class Pace:
    """A straight line from (`since` epochs, `progress`) to (`epochs`, 1). Epochs may be fractions."""

    epochs: float  # at the end; the last one may be cut short
    since: float = 0.0  # epochs done at the time of this plan
    progress: float = 0.0  # in [0, 1], at that time

    def at(self, done: float) -> float:
        """The progress in [0, 1] after `done` epochs."""
        if self.epochs <= self.since:
            return 1.0
        return min(
            max(self.progress + (1 - self.progress) * (done - self.since) / (self.epochs - self.since), 0.0), 1.0
        )

    def replanned(self, done: float, epochs: float) -> "Pace":
        """The pace of a training that has done `done` epochs and now ends after `epochs`."""
        return Pace(epochs, done, self.at(done))

    def batches(self, an_epoch: int) -> int:
        """Batches of the whole training, if a whole epoch has `an_epoch`."""
        return max(round(self.epochs * an_epoch), 1)


def learning_rate_factor(step: float, steps: float, warmup: float) -> float:
    """The fraction of the peak rate at `step` (from 0) of `steps`: linear warm-up, then cosine decay to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    done = (step - rising) / max(steps - rising, 1)
    return 0.5 * (1 + math.cos(math.pi * done))


def learning_rate_at(recipe: Recipe, pace: Pace, epoch: int, number: int, steps_per_epoch: int) -> float:
    """The learning rate of batch `number` of an epoch, both from 0; accumulated batches belong to one step."""
    done, steps = epoch + number // recipe.grad_accum_steps / steps_per_epoch, pace.epochs * steps_per_epoch
    return recipe.learning_rate * learning_rate_factor(pace.at(done) * steps, steps, recipe.warmup)


def set_learning_rate(optimizers: "list[Optimizer]", rate: float) -> None:
    """Set every parameter group's fraction of `rate`; Muon's update is scaled to match AdamW's."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
