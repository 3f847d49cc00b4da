"""The minutes of a training while it goes on: whether the epochs that are left still fit into the time that is left."""

from collections import deque

from corolla.training import clock
from corolla.training.budget import Costs
from corolla.training.pace import Pace

PLANS = 40  # at most so many in a training
TOLERANCE = 0.03  # of the epochs that are left: a plan that is no further off stays, and every random choice with it
WINDOW = 4  # plans back to which the speed is looked at
OUTLIER = 4.0  # a single step so many times as long as usual, compiling its code say, tells nothing about the next ones


class TimeBudget:
    """Counts what a training's steps and validations take, and says for how many more epochs there is time.

    `deadline` and `whole` are seconds (`clock.now`): when the command should end, and how long it was given. `an_epoch`
    are the images of one, `often` the validations of a whole training, `most_epochs` its epochs at most. Speeds are
    compared with `costs`, so that a size of images that has not been trained on yet is expected to be slower or faster
    by the same factor.
    """

    def __init__(
        self, deadline: float, whole: float, costs: Costs, an_epoch: int, often: int, most_epochs: int
    ) -> None:
        self.deadline, self.whole, self.costs = deadline, whole, costs
        self.an_epoch, self.often, self.most_epochs = an_epoch, often, most_epochs
        self.validation = costs.validation
        self.recent: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # seconds taken, and seconds expected
        self.taken = self.expected = 0.0
        self.outlier = False
        self.planned = clock.now()

    def saw(self, size: int, images: int, seconds: float) -> None:
        """A step on `images` of `size` pixels took `seconds`, the wait for them included."""
        expected = images * self.costs.image[size]
        self.outlier = not self.outlier and seconds > OUTLIER * expected * max(self.slowness(), 1.0)
        if not self.outlier:
            self.taken += seconds
            self.expected += expected

    def validated(self, seconds: float) -> None:
        """A validation took `seconds`."""
        self.validation = seconds

    def slowness(self) -> float:
        """How many times as long as expected the last steps took."""
        taken = self.taken + sum(taken for taken, _ in self.recent)
        expected = self.expected + sum(expected for _, expected in self.recent)
        return taken / expected if expected > 0 else 1.0

    def due(self, now: float) -> bool:
        """Whether it is time to look at the plan again."""
        return self.expected > 0 and now - self.planned >= self.whole / PLANS

    def epochs_left(self, pace: Pace, done: float) -> float | None:
        """For how many more epochs there is time after `done` of them, or None where `pace` is about right."""
        slowness, progress, now = self.slowness(), pace.at(done), clock.now()
        self.recent.append((self.taken, self.expected))
        self.taken = self.expected = 0.0
        self.planned = now
        ahead = self.often - int(progress * self.often + 1e-9)  # validations
        left = self.deadline - now - self.costs.after * max(slowness, 1.0) - ahead * self.validation
        epoch = self.costs.mean_image(progress) * slowness * self.an_epoch
        epochs, planned = max(min(left / epoch, self.most_epochs - done), 0.0), pace.epochs - done
        return None if abs(epochs - planned) <= TOLERANCE * planned else epochs
