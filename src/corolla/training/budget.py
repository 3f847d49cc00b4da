"""The one dial: how large a model, how large pictures and how many epochs fit into the minutes there are."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from corolla.errors import CorollaError
from corolla.processes import ALONE, Processes
from corolla.training.recipe import Policy, Recipe

RESERVE = 0.08  # share of the time for reading pictures, validations and the report


@dataclass(frozen=True)
class Rung:
    """A model and a picture size, worth taking once the pictures can be seen often enough."""

    model: str
    image_size: int
    growth: tuple[tuple[float, float], ...]
    fewest_views: int  # pictures seen in the whole training below which a smaller rung learns more
    # Where so few views need less regularisation than the recipe's own
    policy: Policy | None = None
    mixing: float | None = None

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe on this rung."""
        return recipe.changed(
            model=self.model,
            image_size=self.image_size,
            growth=self.growth,
            policy=self.policy,
            mixing=self.mixing,
        )


@dataclass(frozen=True)
class Plan:
    """What the dial settled on, and what it expects."""

    recipe: Recipe
    measured: str


def mean_picture_seconds(recipe: Recipe, measure: Callable[[Recipe, int], float], multiple: int) -> float:
    """Seconds a picture takes on average over the recipe's growth; `measure(recipe, pixels)` times one size."""
    ends = [start for start, _ in recipe.growth[1:]] + [1.0]
    total = 0.0
    for (start, share), end in zip(recipe.growth, ends, strict=True):
        pixels = max(round(recipe.image_size * share / multiple), 1) * multiple
        total += (end - start) * measure(recipe, pixels)
    return total


def plan(
    minutes: float,
    recipe: Recipe,
    ladder: tuple[Rung, ...],
    pictures: int,
    most_epochs: int,
    measure: Callable[[Recipe, int], float],
    multiple_of: Callable[[Recipe], int],
    started: float,
    processes: Processes = ALONE,
) -> Plan:
    """The highest rung of `ladder` (lowest first) whose training sees enough pictures in `minutes`.

    `pictures` are seen in an epoch, and `started` is when the time began to count (`time.monotonic`). A ladder of one
    rung keeps model and size and fits only the epochs. Raises `CorollaError` if not one epoch fits.
    """
    seconds = minutes * 60 * (1 - RESERVE)

    def left() -> float:
        gone = processes.agree(time.monotonic() - started)
        return max(seconds - gone, seconds / 3)  # timing must not eat up a short training

    chosen, each, views = recipe, math.inf, 0.0
    for rung in ladder:
        # A higher rung is slower, so one that even this speed is too slow for need not be timed.
        if views < rung.fewest_views:
            break
        tried = rung.applied_to(recipe)
        tried_each = mean_picture_seconds(tried, measure, multiple_of(tried))
        if left() / tried_each < rung.fewest_views:
            break
        chosen, each, views = tried, tried_each, left() / tried_each
    epochs = min(math.floor(left() / each / pictures), most_epochs)
    if epochs < 1:
        raise CorollaError(
            f"{minutes:g} minutes are too short for one epoch of {pictures} pictures, which takes about "
            f"{each * pictures / 60:.2g} minutes here; give more --minutes or fewer pictures"
        )
    return Plan(chosen.changed(epochs=epochs), f"{1 / each:.0f} images/s, {each * pictures:.0f} s an epoch")
