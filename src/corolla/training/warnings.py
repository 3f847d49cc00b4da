"""Warnings about a training: before it, whether it can work in the given time; after it, whether it worked.

A network with random weights stays at chance level until it has seen enough augmented crops ("views"). Measured with
the scratch recipe and a small model on a hundred classes of easy images (pairs of handwritten digits, ten training
images per class): with 50 views per class the test accuracy is 1.5 %, with 120 3.8 %, with 300 18.5 %, and with 400
above 40 %. Photographs need more, so the absence of a warning is no guarantee: good runs of benchmarks/README.md see
tens of thousands. With few classes a few optimizer steps give enough views, but teach nothing; `STEPS` is an estimate,
somewhat below the 39 steps of the first epoch of flower photographs.
"""

import math
from dataclasses import dataclass

from corolla.text import amount, count, decimals_of

VIEWS = 200  # per class
STEPS = 30
LEARNED = 0.05  # of the error of always predicting the most frequent class, removed at least by a model that learned
APART, UNLIKE = 0.03, 0.01  # validation and test differ: by at least this accuracy, and with a p-value below this
POINTS, TIMES = 0.10, 2.0  # far below: at least so much less accuracy, and so many times the error
INSTEAD = "start from pretrained weights: --weights NAME_OR_PATH --recipe probe"


def say_before(
    *, views: int, classes: int, batch_size: int, minutes: float | None, pretrained: bool, teacher: float | None = None
) -> str | None:
    """One line that says why a planned training cannot work and what to do; None if it may work.

    `views` is the number of views in the whole training, `pretrained` whether it starts from pretrained weights, and
    `teacher` the accuracy of its teacher on validation, if it has one.
    """
    needed = max(VIEWS * classes, STEPS * batch_size)
    if pretrained or views >= needed:
        return None
    longer = "more epochs"
    if minutes is not None:
        longer = f"about {amount(rounded_up(minutes * needed / max(views, 1)), 'minute')} or more"
    each = f"{views / classes:.0f}" if views >= classes else "not even one"
    known = f" (the teacher's own accuracy is {teacher:.1%} on validation)" if teacher is not None else ""
    return (
        f"expect little better than guessing: {views:,} augmented crops are {each} for each of {classes} classes, and "
        f"about {needed:,} are needed to learn anything; give it {longer}, or {INSTEAD}{known}"
    )


def rounded_up(minutes: float) -> int:
    """The minutes rounded up to a round number."""
    step = 1 if minutes < 10 else 5 if minutes < 60 else 30
    return math.ceil(minutes / step) * step


@dataclass(frozen=True)
class Outcome:
    """The accuracy of a model on labeled images that it was not trained on."""

    right: int  # correct predictions
    of: int  # images
    commonest: float  # the fraction of the most frequent class, in (0, 1]
    split: str  # test or validation

    @property
    def accuracy(self) -> float:
        """In [0, 1]."""
        return self.right / self.of

    @property
    def decimals(self) -> int:
        """The decimals of a percentage of these images."""
        return decimals_of(self.of)

    @property
    def figure(self) -> str:
        """The accuracy and the number of images."""
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
    """One line that says what is wrong with a finished training and what to do; None if nothing is.

    `reference` is the accuracy of its teacher, or of a probe of the same features (`name`), on the same images or
    on validation.
    """
    found = near_chance(outcome) or far_below(outcome, reference, name)
    if found is None:
        return None
    longer = "train longer" if minutes is None else f"give it more than {amount(minutes, 'minute')}"
    instead = "look at the labels: corolla audit" if pretrained else INSTEAD
    return f"{found}; {longer}, or {instead}"


def say_unlike(validation: Outcome, test: Outcome, drawn: bool) -> str | None:
    """A warning that validation and test differ significantly, with the likely reason; None if they do not.

    `drawn`: corolla took the validation images from the training images, but not the test images. The significance
    test is Fisher's at `UNLIKE`, because the best of many epochs is always a little too good on validation.
    """
    if abs(validation.accuracy - test.accuracy) < APART:
        return None
    from scipy.stats import fisher_exact

    counts = [[outcome.right, outcome.of - outcome.right] for outcome in (validation, test)]
    if fisher_exact(counts).pvalue >= UNLIKE:
        return None
    why = (
        "the validation images were taken from the training images, and the test images come from elsewhere, so a "
        "column group in a CSV, or a folder val of other images, would make validation as hard as the test"
        if drawn
        else "the two splits contain different kinds of images"
    )
    return (
        f"accuracy differs significantly between validation and test: {validation.accuracy:.1%} of "
        f"{validation.of:,} validation images are correct, and {test.accuracy:.1%} of {test.of:,} test images; {why}; "
        "temperature and coverage are calibrated on validation, so expect them to fail on images like the test images"
    )


def near_chance(outcome: Outcome) -> str | None:
    """A warning if the model is no better than guessing; None if all images are of one class, which cannot tell."""
    if outcome.commonest >= 1:
        return None
    low, high = outcome.interval
    beyond = outcome.commonest + LEARNED * (1 - outcome.commonest)
    guess = f"always predicting the most frequent class gives {outcome.commonest:.1%}"
    figure = f"{outcome.figure} ({low:.{outcome.decimals}%} to {high:.{outcome.decimals}%}) are correct"
    if low > outcome.commonest:
        return f"it has learned almost nothing: {figure}, and {guess}" if outcome.accuracy < beyond else None
    if outcome.accuracy >= beyond:  # better, but by too few images to be significant
        return f"too few images to tell it from guessing: {figure}, and {guess}"
    return f"it is no better than guessing: {figure}, and {guess}"


def far_below(outcome: Outcome, reference: float | None, name: str) -> str | None:
    """A warning if the accuracy is far below the reference; else None."""
    if reference is None or outcome.interval[1] >= reference:
        return None
    if reference - outcome.accuracy < POINTS or 1 - outcome.accuracy < TIMES * (1 - reference):
        return None
    return f"it is far below its {name}: {outcome.figure} are correct, and the {name} has {reference:.1%}"
