"""The progress of a training, from 0 to 1, by epochs: it sets learning rate, image size and validations.

In a training of a fixed number of epochs, progress is linear from 0 to 1. A training with a time budget may be
replanned for more or fewer epochs; from then on progress is linear to the new end.
"""

from dataclasses import dataclass


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
