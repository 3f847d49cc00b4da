"""What fitting a teacher takes on this machine, from a few measured batches, and what of it the time is enough for."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from corolla.preprocessing import Preprocessing
from corolla.text import count
from corolla.training.features import Extract, compute_features

TRIAL_IMAGES, TRIAL_STEPS = 24, 2
FEATURES_SHARE = 0.6  # of the time a teacher has, at most, for looking at the images
HEAD_SHARE = 0.25  # and for fitting its head
TUNING_SHARE = 0.5  # and for its fine-tuning: more of it serves the student better
MARGIN = 1.15  # a training's steps also wait for images


@dataclass(frozen=True)
class TeacherCost:
    """Seconds, each measured here; `images` counts those of training and validation whose features are not kept yet."""

    view: float  # an image seen once, reading included
    both: float  # an image and its mirror image
    step: float  # an image in a step of fine-tuning
    images: int
    train: int  # images of the split
    val: int

    def features(self, views: int = 2) -> float:
        """Looking at all that is not kept, in one view or two."""
        return self.images * (self.view if views == 1 else self.both)

    def tuning(self, epochs: int, views: int = 2) -> float:
        """Fine-tuning for some epochs: decoding, the steps, and one look at the validation images."""
        each = self.view if views == 1 else self.both
        return self.decoding + epochs * self.epoch + self.val * each if epochs else 0.0

    @property
    def decoding(self) -> float:
        """Decoding the training images once; little beside a look at them, which holds it."""
        return self.train * self.view / 2

    @property
    def epoch(self) -> float:
        """One epoch of fine-tuning."""
        return MARGIN * self.train * self.step


@dataclass(frozen=True)
class TeacherPlan:
    """What is done in the time there is."""

    views: int  # in which features are computed
    share: float  # of the images that are looked at, 1 unless even one view of all takes too long
    head: float | None  # seconds for fitting the head; None: as many as it takes
    epochs: int  # of fine-tuning

    def told(self, seconds: float, wanted: int, cost: TeacherCost) -> str:
        """One line that says what is left out of a whole fitting; empty where nothing is."""
        left_out = []
        if self.epochs < wanted:
            each = f"{math.ceil(cost.epoch)} s each"
            left_out.append(f"{self.epochs} of {count(wanted, 'epoch')} of fine-tuning ({each})")
        if self.views == 1:
            left_out.append("one view of each image")
        if self.share < 1:
            left_out.append(f"{self.share:.0%} of the images")
        return f"the teacher has {seconds:.0f} s: {', '.join(left_out)}" if left_out else ""


def plan_teacher(cost: TeacherCost, seconds: float | None, epochs: int) -> TeacherPlan:
    """What to do in `seconds`, of at most `epochs` of fine-tuning; everything where there is no limit.

    Left out are, in this order: epochs of fine-tuning, some of the head's strengths (by its seconds), the mirror
    images, and images at last.
    """
    if seconds is None:
        return TeacherPlan(2, 1.0, None, epochs)
    allowed = FEATURES_SHARE * seconds
    views = 2 if cost.features(2) <= allowed else 1
    share = min(1.0, allowed / max(cost.features(views), 1e-9))
    head = HEAD_SHARE * seconds
    rest = seconds - share * cost.features(views) - head
    spare = min(rest, TUNING_SHARE * seconds) if share == 1 else 0.0
    tuned = max(each for each in range(epochs + 1) if cost.tuning(each, views) <= max(spare, 0.0))
    return TeacherPlan(views, share, head, tuned)


def measure_features(
    paths: Sequence[Path], extract: Extract, preprocessing: Preprocessing, device: torch.device | str
) -> tuple[float, float]:
    """Seconds for one view and for both of an image, from the first and the last of `paths` and some between."""
    some = [paths[round(place)] for place in torch.linspace(0, len(paths) - 1, min(TRIAL_IMAGES, len(paths))).tolist()]
    compute_features(some[:4], extract, preprocessing, device)  # the first pass of all is slower
    times = []
    for views in (1, 2):
        started = time.monotonic()
        compute_features(some, extract, preprocessing, device, views=views)
        times.append((time.monotonic() - started) / len(some))
    return times[0], max(times)


def measure_step(loss: Callable[[Tensor, Tensor], Tensor], count: int, pixels: int, device: torch.device) -> float:
    """Seconds an image takes in a step of `count` images of `pixels`: forward and backward, the second of two."""
    images = torch.zeros(count, 3, pixels, pixels, device=device)
    labels = torch.zeros(count, dtype=torch.long, device=device)
    times = []
    for _ in range(TRIAL_STEPS):
        started = time.monotonic()
        torch.autograd.backward(loss(images, labels))
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        times.append(time.monotonic() - started)
    return min(times) / count
