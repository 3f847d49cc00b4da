"""The time budget during a training: whether the remaining epochs still fit into the remaining time."""

from collections import Counter, deque
from dataclasses import replace

from corolla.processes import Processes
from corolla.progress import Progress
from corolla.training import clock
from corolla.training.budget import REPORT, SPARE, Plan
from corolla.training.schedule import Pace

PLANS = 40  # per training, at most
# A plan within this tolerance stays, and every random choice with it: fractions of the remaining and of the whole time
TOLERANCE, LEAST = 0.05, 0.02
WINDOW = 4  # the speed is measured over this many last plans
WARM = 2  # first steps of a new image size, which are slower than the later ones
PRINTED = 0.1  # a new plan is printed if the epochs change by this fraction
OUTLIER = 4.0  # a single step this many times as long as usual, because of compiling for example, is ignored


class TimeBudget:
    """Measures a training's steps and validations, and computes for how many more epochs there is time.

    `deadline` is the end of the command (`clock.now`) and `whole` its budget, in seconds; `an_epoch` is the number of
    images per epoch. Speeds are compared with the expectation of `plan`, so that an image size that was not trained on
    yet is expected to be slower or faster by the same factor.
    """

    def __init__(self, deadline: float, whole: float, plan: Plan, an_epoch: int) -> None:
        self.deadline, self.whole, self.costs = deadline, whole, plan.costs
        self.an_epoch, self.often, self.most_epochs = an_epoch, plan.recipe.validations, plan.most_epochs
        self.ending = plan.costs.prediction * plan.calibration + plan.costs.test  # predictions after the training
        self.recent: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # seconds taken, and seconds expected
        self.taken = self.expected = 0.0
        self.steps: Counter[int] = Counter()  # by image size
        self.outlier = False
        self.planned, self.printed = clock.now(), plan.recipe.length

    def saw(self, size: int, images: int, seconds: float) -> None:
        """Record that a step on `images` of `size` pixels took `seconds`, loading included."""
        expected = images * self.costs.image[size]
        self.steps[size] += 1
        if self.steps[size] <= WARM:
            return
        self.outlier = not self.outlier and seconds > OUTLIER * expected * max(self.slowness(), 1.0)
        if not self.outlier:
            self.taken += seconds
            self.expected += expected

    def validated(self, seconds: float) -> None:
        """Record that a validation took `seconds`."""
        self.costs = replace(self.costs, validation=seconds)

    def slowness(self) -> float:
        """The last steps' time divided by the expected time."""
        taken = self.taken + sum(taken for taken, _ in self.recent)
        expected = self.expected + sum(expected for _, expected in self.recent)
        return taken / expected if expected > 0 else 1.0

    def due(self, now: float) -> bool:
        """Whether it is time to replan."""
        return self.expected > 0 and now - self.planned >= self.whole / PLANS

    def replanned(self, pace: Pace, done: float, processes: Processes, progress: Progress) -> Pace:
        """The pace after `done` epochs that fits into the remaining time; every process has to call this."""
        left = processes.broadcast_object(self.epochs_left(pace, done))
        if left is None:
            return pace
        epochs, before = done + left, self.printed
        if abs(epochs - before) > PRINTED * before:
            slower = "slower" if epochs < before else "faster"
            progress.note(f"this machine is {slower} than planned: {epochs:.1f} epochs instead of {before:.1f}")
            self.printed = epochs
        return pace.replanned(done, epochs)

    def epochs_left(self, pace: Pace, done: float) -> float | None:
        """For how many more epochs there is time after `done` epochs, or None if `pace` is about right."""
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
