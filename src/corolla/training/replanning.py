"""The minutes of a training while it goes on: whether the epochs that are left still fit into the time that is left."""

from collections import Counter, deque
from dataclasses import replace

from corolla.training import clock
from corolla.training.budget import REPORT, SPARE, Plan
from corolla.training.pace import Pace

PLANS = 40  # at most so many in a training
# A plan that is no further off stays, and every random choice with it: shares of what is left, and of the whole time
TOLERANCE, LEAST = 0.05, 0.02
WINDOW = 4  # plans back to which the speed is looked at
WARM = 2  # steps of a new size of images, which are slower than those after them
OUTLIER = 4.0  # a single step so many times as long as usual, compiling its code say, tells nothing about the next ones


class TimeBudget:
    """Counts what a training's steps and validations take, and says for how many more epochs there is time.

    `deadline` and `whole` are seconds (`clock.now`): when the command should end, and how long it was given. `an_epoch`
    are the images of one. Speeds are compared with what `plan` expected, so that a size of images that has not been
    trained on yet is expected to be slower or faster by the same factor.
    """

    def __init__(self, deadline: float, whole: float, plan: Plan, an_epoch: int) -> None:
        self.deadline, self.whole, self.costs = deadline, whole, plan.costs
        self.an_epoch, self.often, self.most_epochs = an_epoch, plan.recipe.validations, plan.most_epochs
        self.ending = plan.costs.prediction * plan.calibration + plan.costs.test  # what is predicted after the training
        self.recent: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # seconds taken, and seconds expected
        self.taken = self.expected = 0.0
        self.steps: Counter[int] = Counter()  # of each size of images
        self.outlier = False
        self.planned = clock.now()

    def saw(self, size: int, images: int, seconds: float) -> None:
        """A step on `images` of `size` pixels took `seconds`, the wait for them included."""
        expected = images * self.costs.image[size]
        self.steps[size] += 1
        if self.steps[size] <= WARM:
            return
        self.outlier = not self.outlier and seconds > OUTLIER * expected * max(self.slowness(), 1.0)
        if not self.outlier:
            self.taken += seconds
            self.expected += expected

    def validated(self, seconds: float) -> None:
        """A validation took `seconds`."""
        self.costs = replace(self.costs, validation=seconds)

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
        slowness, now = self.slowness(), clock.now()
        self.recent.append((self.taken, self.expected))
        self.taken = self.expected = 0.0
        self.planned = now
        after = self.ending * max(slowness, 1.0) + REPORT + SPARE * self.whole
        left = self.deadline - after - now
        needed = self.costs.seconds(pace, done, self.an_epoch, self.often, slowness)
        if abs(left - needed) <= max(TOLERANCE * needed, LEAST * self.whole):
            return None
        length = self.costs.longest(left, pace, done, self.an_epoch, self.often, slowness)
        length = min(length, float(self.most_epochs))
        return None if length == pace.epochs else max(length - done, 0.0)
