"""The time to fit a teacher on this machine, from a few measured batches, and a plan that fits into a time limit."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from corolla.features.extraction import Extract, compute_features
from corolla.preprocessing import Preprocessing
from corolla.text import count

TRIAL_IMAGES, TRIAL_STEPS = 24, 2
FEATURES_SHARE = 0.6  # of the teacher's time, at most, for computing features
HEAD_SHARE = 0.25  # and for fitting its head
TUNING_SHARE = 0.5  # and for its fine-tuning: more of it serves the student better
MARGIN = 1.15  # a training's steps also wait for images


@dataclass(frozen=True)
class TeacherCost:
    """Measured seconds; `images` is the number of training and validation images without cached features."""

    view: float  # per image, reading included
    both: float  # per image and its horizontal flip
    step: float  # per image in a fine-tuning step
    images: int
    train: int  # images of the split
    val: int

    def features(self, views: int = 2) -> float:
        """Seconds to compute the features that are not cached, with one view or two."""
        return self.images * (self.view if views == 1 else self.both)

    def tuning(self, epochs: int, views: int = 2) -> float:
        """Seconds of fine-tuning for some epochs: decoding, the steps, and one pass over the validation images."""
        each = self.view if views == 1 else self.both
        return self.decoding + epochs * self.epoch + self.val * each if epochs else 0.0

    @property
    def decoding(self) -> float:
        """Seconds to decode the training images once, estimated from `view`, which includes decoding."""
        return self.train * self.view / 2

    @property
    def epoch(self) -> float:
        """Seconds of one fine-tuning epoch."""
        return MARGIN * self.train * self.step


@dataclass(frozen=True)
class TeacherPlan:
    """What to do in the given time."""

    views: int  # per image: 2 with its horizontal flip, 1 without
    share: float  # fraction of the images used, 1 unless even one view of all images takes too long
    head: float | None  # seconds for fitting the head; None: no limit
    epochs: int  # of fine-tuning

    def told(self, seconds: float, wanted: int, cost: TeacherCost) -> str:
        """One line that says what is left out of a complete fitting; empty if nothing is."""
        left_out = []
        if self.epochs < wanted:
            each = f"{math.ceil(cost.epoch)} s each"
            left_out.append(f"{self.epochs} of {count(wanted, 'epoch')} of fine-tuning ({each})")
        if self.views == 1:
            left_out.append("no horizontal flips")
        if self.share < 1:
            left_out.append(f"{self.share:.0%} of the images")
        return f"the teacher gets {seconds:.0f} s: {', '.join(left_out)}" if left_out else ""


def plan_teacher(cost: TeacherCost, seconds: float | None, epochs: int) -> TeacherPlan:
    """What to do in `seconds`, with at most `epochs` of fine-tuning; everything if there is no limit.

    It leaves out, in this order: epochs of fine-tuning, some of the head's strengths (by its seconds), the horizontal
    flips, and finally images.
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
    """Seconds per image for one view and for both views, from a few images spread evenly over `paths`."""
    some = [paths[round(place)] for place in torch.linspace(0, len(paths) - 1, min(TRIAL_IMAGES, len(paths))).tolist()]
    compute_features(some[:4], extract, preprocessing, device)  # warm-up: the first pass is slower
    times = []
    for views in (1, 2):
        started = time.monotonic()
        compute_features(some, extract, preprocessing, device, views=views)
        times.append((time.monotonic() - started) / len(some))
    return times[0], max(times)


def measure_step(loss: Callable[[Tensor, Tensor], Tensor], count: int, pixels: int, device: torch.device) -> float:
    """Seconds per image in a step of `count` images of `pixels`, forward and backward; the faster of two."""
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
