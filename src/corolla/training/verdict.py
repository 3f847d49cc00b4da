"""Whether a training can work in the time it has, said before; and whether it has worked, said after.

A network that starts from random weights is at chance until it has seen enough views. Measured with the scratch recipe
and a small model on a hundred classes of easy images (pairs of handwritten digits, ten training images of each class):
50 views of each class leave it at 1.5 % of the test images, 120 at 3.8 %, 300 at 18.5 %, and 400 are past 40 %.
Photographs need more, so silence is no promise: good runs of benchmarks/README.md see tens of thousands. Few classes
have enough of so many views after a few steps of the optimizer, in which nothing is learned either; `STEPS` is an
estimate, somewhat below the 39 steps of the first epoch of flower photographs.
"""

import math
from dataclasses import dataclass

from corolla.text import amount, count, decimals_of

VIEWS = 200  # of each class
STEPS = 30
LEARNED = 0.05  # of what the commonest class leaves wrong: a model that names less right has learned next to nothing
APART, UNLIKE = 0.03, 0.01  # validation and test: so much accuracy apart, and so unlikely by chance
POINTS, TIMES = 0.10, 2.0  # far below: so much less right, and so many times as much wrong
INSTEAD = "begin with pretrained weights: --weights NAME_OR_PATH --recipe probe"


def say_before(
    *, views: int, classes: int, batch_size: int, minutes: float | None, pretrained: bool, teacher: float | None = None
) -> str | None:
    """Why a planned training cannot work and what would, in one line; None where nothing speaks against it.

    `views` are seen in the whole training, `pretrained` ones start with weights that have seen others, and `teacher`
    is the accuracy of its teacher on validation, where it has one.
    """
    needed = max(VIEWS * classes, STEPS * batch_size)
    if pretrained or views >= needed:
        return None
    longer = "more epochs"
    if minutes is not None:
        longer = f"about {amount(rounded_up(minutes * needed / max(views, 1)), 'minute')} or more"
    each = f"{views / classes:.0f}" if views >= classes else "not even one"
    known = f" (the teacher itself has {teacher:.1%} of validation right)" if teacher is not None else ""
    return (
        f"expect little more than guesses: {views:,} views are {each} of each of {classes} classes, and "
        f"{needed:,} are about the fewest that teach anything; give it {longer}, or {INSTEAD}{known}"
    )


def rounded_up(minutes: float) -> int:
    """Minutes that nobody takes for exact."""
    step = 1 if minutes < 10 else 5 if minutes < 60 else 30
    return math.ceil(minutes / step) * step


@dataclass(frozen=True)
class Outcome:
    """What a model named right on labeled images that it was not trained on."""

    right: int
    of: int
    commonest: float  # the share of the commonest class among them, in (0, 1]
    split: str  # what they are: test or validation

    @property
    def accuracy(self) -> float:
        """In [0, 1]."""
        return self.right / self.of

    @property
    def decimals(self) -> int:
        """Of a percentage of so many images."""
        return decimals_of(self.of)

    @property
    def figure(self) -> str:
        """The accuracy, and what it is of."""
        return f"{self.accuracy:.{self.decimals}%} of {count(self.of, f'{self.split} image')}"

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval (Wilson) of the accuracy."""
        from scipy.stats import binomtest

        found = binomtest(self.right, self.of).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


def say_after(
    outcome: Outcome, *, minutes: float | None, pretrained: bool, reference: float | None = None, name: str = "teacher"
) -> str | None:
    """What is wrong with a finished training and what to do, in one line; None where nothing is.

    `reference` is the accuracy that its teacher, or a probe of the same features (`name`), has on the same images or
    on validation.
    """
    found = near_chance(outcome) or far_below(outcome, reference, name)
    if found is None:
        return None
    longer = "train longer" if minutes is None else f"give it more than {amount(minutes, 'minute')}"
    instead = "look at the labels: corolla audit" if pretrained else INSTEAD
    return f"{found}; {longer}, or {instead}"


def say_unlike(validation: Outcome, test: Outcome, drawn: bool) -> str | None:
    """That validation and test differ beyond chance, why that may be and what to do; None where they do not.

    `drawn`: the validation images were taken from the training's by corolla, and the test's were not. The test is
    Fisher's, at `UNLIKE`: the best of many epochs is a little too good on validation in any case.
    """
    if abs(validation.accuracy - test.accuracy) < APART:
        return None
    from scipy.stats import fisher_exact

    counts = [[outcome.right, outcome.of - outcome.right] for outcome in (validation, test)]
    if fisher_exact(counts).pvalue >= UNLIKE:
        return None
    why = (
        "validation was taken from the training's own images, and the test's come from elsewhere, so a column group in "
        "a CSV, or a folder val of other images, would make validation as hard as the test"
        if drawn
        else "the two splits hold other kinds of images"
    )
    return (
        f"validation and test differ beyond chance: {validation.accuracy:.1%} of {validation.of:,} validation images "
        f"are right, and {test.accuracy:.1%} of {test.of:,} test images; {why}; the temperature and the promised "
        "coverage rest on validation, so expect them to fail on images like the test's"
    )


def near_chance(outcome: Outcome) -> str | None:
    """That it is no better than a guess, if so; images of one class only say nothing about that."""
    if outcome.commonest >= 1:
        return None
    low, high = outcome.interval
    beyond = outcome.commonest + LEARNED * (1 - outcome.commonest)
    guess = f"always answering the commonest class has {outcome.commonest:.1%}"
    figure = f"{outcome.figure} ({low:.{outcome.decimals}%} to {high:.{outcome.decimals}%})"
    if low > outcome.commonest:
        return f"it has learned next to nothing: it names {figure}, and {guess}" if outcome.accuracy < beyond else None
    if outcome.accuracy >= beyond:  # better, but by so few images that chance may have done it
        return f"so few images cannot tell it from a guess: it names {figure}, and {guess}"
    return f"it is no better than a guess: it names {figure}, and {guess}"


def far_below(outcome: Outcome, reference: float | None, name: str) -> str | None:
    """That it is far below what the same images allow, if so."""
    if reference is None or outcome.interval[1] >= reference:
        return None
    if reference - outcome.accuracy < POINTS or 1 - outcome.accuracy < TIMES * (1 - reference):
        return None
    return f"it is far below its {name}: {outcome.figure}, and the {name} has {reference:.1%}"
