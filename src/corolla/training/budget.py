"""The time budget: which model, image size and number of epochs fit into the minutes of a whole command.

The minutes cover everything from the first image read to the report. This module plans before the first epoch;
`corolla.training.replanning` fits the remaining epochs to the remaining time.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from corolla.errors import CorollaError
from corolla.processes import ALONE, Processes
from corolla.text import amount, count, rate
from corolla.training import clock
from corolla.training.recipe import Preset, Recipe
from corolla.training.schedule import Pace

SPARE = 0.02  # fraction of the time that stays unplanned
REPORT = 4.0  # seconds for the report, its explanations, the model card and the curves
VALIDATING = 0.1  # fraction of the time for validations, at most
CALIBRATING = 0.05  # and for the calibration, unless the fewest images take longer
FEWEST_VALIDATIONS = 3
FEW_EPOCHS = 5  # epochs that the error message suggests if not even one fits


class Timer(Protocol):
    """Measured speed of this machine on the user's own images."""

    def step(self, recipe: Recipe, pixels: int) -> float:
        """Seconds per training image of `pixels`."""

    def prediction(self, recipe: Recipe) -> tuple[float, float]:
        """Seconds to read an image from its file, and seconds to predict its class."""


@dataclass(frozen=True)
class Amounts:
    """How many images a training processes; `train` of them in an epoch, in batches of `batch`."""

    train: int
    batch: int
    validation: int
    before: int = 0  # predicted before the first epoch, for a head on frozen features
    test: int = 0  # predicted after the last epoch
    beside: float = 0.0  # seconds per test image for the teacher's prediction
    calibration: int = 0  # predicted for the calibration, if there is time
    least_calibration: int = 0


@dataclass(frozen=True)
class Plan:
    """The chosen recipe, the measured speed and the expected costs."""

    recipe: Recipe
    measured: str
    costs: "Costs"
    calibration: int  # images to predict for the calibration
    most_epochs: int


@dataclass(frozen=True)
class Costs:
    """Seconds that the parts of a training take on this machine."""

    image: Mapping[int, float]  # per training image, by its pixels
    segments: tuple[tuple[float, float, int], ...]  # (from progress, to progress, pixels of the images)
    validation: float  # one validation of the whole split
    before: float
    prediction: float  # per image, from its file
    test: float

    def mean_image(self) -> float:
        """Mean seconds per training image."""
        return sum((end - start) * self.image[size] for start, end, size in self.segments)

    def size_at(self, progress: float) -> int:
        """The image size of an epoch that starts at `progress`."""
        return [size for start, _, size in self.segments if progress >= start][-1]

    def seconds(self, pace: Pace, done: float, an_epoch: int, often: int, slowness: float = 1.0) -> float:
        """Seconds of the training by `pace` from `done` epochs to its end, its validations included.

        An epoch has `an_epoch` images of one size, `often` is the maximum number of validations of a whole training,
        and a step takes `slowness` times as long as measured.
        """
        total, epoch = 0.0, math.floor(done)
        while epoch < pace.epochs:
            part = min(epoch + 1.0, pace.epochs) - max(done, epoch)
            total += part * an_epoch * self.image[self.size_at(pace.at(epoch))] * slowness
            epoch += 1
            ended = epoch >= pace.epochs
            if ended or validates(pace.at(epoch), pace.at(epoch - 1), often):
                total += self.validation
        return total

    def longest(self, time: float, pace: Pace, done: float, an_epoch: int, often: int, slowness: float = 1.0) -> float:
        """The maximum total epochs, with `done` of them done by `pace`, whose remainder takes no more than `time`."""
        low, high = done, done + max(time, 0.0) / (an_epoch * min(self.image.values()) * slowness)
        for _ in range(30):
            middle = (low + high) / 2
            fits = self.seconds(pace.replanned(done, middle), done, an_epoch, often, slowness) <= time
            low, high = (middle, high) if fits else (low, middle)
        return low


def validates(progress: float, before: float, often: int) -> bool:
    """Whether a validation is due between these two progresses, if a whole training has `often` validations."""
    return math.floor(progress * often + 1e-9) > math.floor(before * often + 1e-9)


def segments_of(recipe: Recipe, multiple: int) -> tuple[tuple[float, float, int], ...]:
    """The recipe's progressive resizing as (from progress, to progress, pixels)."""
    starts = [start for start, _ in recipe.progressive_resizing]
    return tuple(
        (start, end, recipe.image_size_at(start, multiple))
        for start, end in zip(starts, [*starts[1:], 1.0], strict=True)
    )


def costs_of(recipe: Recipe, amounts: Amounts, timer: Timer, multiple: int) -> Costs:
    """Measure the parts of a training by `recipe`."""
    segments = segments_of(recipe, multiple)
    image = {size: timer.step(recipe, size) for _, _, size in segments}
    reading, predicting = timer.prediction(recipe)
    return Costs(
        image,
        segments,
        validation=amounts.validation * predicting,
        before=amounts.before * (reading + predicting) + amounts.validation * reading,  # read once and cached
        prediction=reading + predicting,
        test=amounts.test * (reading + predicting + amounts.beside),
    )


def plan(
    minutes: float,
    recipe: Recipe,
    presets: tuple[Preset, ...],
    amounts_of: Callable[[Recipe], Amounts],
    most_epochs: Callable[[Recipe], int],
    timer: Timer,
    multiple_of: Callable[[Recipe], int],
    started: float,
    processes: Processes = ALONE,
) -> Plan:
    """The largest preset of `presets` (smallest first) whose training sees enough images in `minutes`.

    `started` is the start of the budget (`clock.now`). With a single preset, model and image size are fixed and only
    the epochs are fitted; the last epoch may be cut short. Raises `CorollaError` if not even one epoch fits.
    """
    whole = minutes * 60

    def left(costs: Costs, amounts: Amounts) -> float:
        """Seconds for steps and validations."""
        gone = processes.broadcast_object(clock.now() - started)
        calibrating = costs.prediction * calibration_within(CALIBRATING * whole, costs, amounts)
        return whole * (1 - SPARE) - gone - costs.before - calibrating - costs.test - REPORT

    gone = processes.broadcast_object(clock.now() - started)
    if gone > whole * 0.8:
        raise CorollaError(
            f"{amount(minutes, 'minute is', 'minutes are')} too short: reading the images alone took {gone / 60:.1f}; "
            f"give --minutes {needed_minutes(3 * gone)} or more, or fewer images"
        )
    chosen: tuple[Recipe, Costs, Amounts] | None = None
    views = 0.0
    for preset in presets:
        # A larger preset is slower, so if even this speed is too slow for it, it need not be measured.
        if chosen and views < preset.fewest_views:
            break
        tried = preset.applied_to(recipe)
        amounts = amounts_of(tried)
        costs = costs_of(tried, amounts, timer, multiple_of(tried))
        views_here = left(costs, amounts) * (1 - VALIDATING) / costs.mean_image()
        if chosen and views_here < preset.fewest_views:
            break
        chosen, views = (tried, costs, amounts), views_here
    assert chosen, "there is a preset at least"
    settled, costs, amounts = chosen
    most, time = most_epochs(settled), left(costs, amounts)
    often = validations(time, costs.validation, settled.validations)
    epoch = costs.mean_image() * amounts.train
    length = min(costs.longest(time, Pace(float(most)), 0.0, amounts.train, often), float(most))
    if length < 1:
        enough = 1.1 * (whole - time) + FEWEST_VALIDATIONS * costs.validation + FEW_EPOCHS * epoch
        raise CorollaError(
            f"{amount(minutes, 'minute is', 'minutes are')} too short for one epoch of "
            f"{count(amounts.train, 'training image')}: an epoch takes about {epoch:.0f} s "
            f"here, and reading, calibrating and evaluating {whole - time:.0f} s; "
            f"give --minutes {needed_minutes(enough)} or more, or fewer images"
        )
    settled = settled.changed(validations=often, **lasting(length, amounts))
    told = f"{rate(1 / costs.mean_image())} images/s, {rate(epoch)} s per epoch"
    return Plan(settled, told, costs, calibration_within(CALIBRATING * whole, costs, amounts), most)


def calibration_within(seconds: float, costs: Costs, amounts: Amounts) -> int:
    """How many images the calibration predicts in `seconds`, but at least the fewest that it needs."""
    return min(amounts.calibration, max(math.floor(seconds / costs.prediction), amounts.least_calibration))


def lasting(epochs: float, amounts: Amounts) -> dict[str, Any]:
    """The recipe's values for a training of `epochs`, rounded down to whole batches."""
    an_epoch = max(amounts.train // amounts.batch, 1)
    batches = max(math.floor(epochs * an_epoch), 1)
    whole = math.ceil(batches / an_epoch)
    return {"epochs": whole, "last_epoch": (batches - (whole - 1) * an_epoch) / an_epoch}


def validations(time: float, seconds: float, usual: int) -> int:
    """How many validations of `seconds` each a training of `time` seconds can afford, at most `usual`."""
    affordable = math.floor(VALIDATING * time / seconds) if seconds > 0 else usual
    return max(min(usual, affordable), min(usual, FEWEST_VALIDATIONS))


def needed_minutes(seconds: float) -> str:
    """The seconds as minutes for `--minutes`, rounded up to two digits."""
    minutes = seconds / 60
    unit = 10.0 ** (math.floor(math.log10(minutes)) - 1) if minutes > 0 else 1.0
    return f"{math.ceil(minutes / unit - 1e-9) * unit:.2g}"
