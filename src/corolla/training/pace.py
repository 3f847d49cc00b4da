"""How far a training is, from 0 to 1, after so many epochs: what learning rate, image size and validations follow.

A training of a given number of epochs goes from 0 to 1 on a straight line. One that was given minutes may be planned
again on its way, for more epochs or fewer; from there on it is another straight line to the new end.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """A straight line from (`since` epochs, `progress`) to (`epochs`, 1). Epochs are counted in fractions."""

    epochs: float  # at the end; the last one may be cut short
    since: float = 0.0  # epochs that were done when this was planned
    progress: float = 0.0  # in [0, 1], at that moment

    def at(self, done: float) -> float:
        """The progress in [0, 1] after `done` epochs."""
        if self.epochs <= self.since:
            return 1.0
        return min(
            max(self.progress + (1 - self.progress) * (done - self.since) / (self.epochs - self.since), 0.0), 1.0
        )

    def replanned(self, done: float, epochs: float) -> "Pace":
        """The pace of a training that has done `done` epochs and is to end after `epochs` instead."""
        return Pace(epochs, done, self.at(done))

    def batches(self, an_epoch: int) -> int:
        """Batches of the whole training, where a whole epoch has `an_epoch`."""
        return max(round(self.epochs * an_epoch), 1)
