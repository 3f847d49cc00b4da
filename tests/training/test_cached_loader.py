"""Batches of images on the disk: the same whoever makes them, and no epoch has a price of its own."""

import time
from pathlib import Path
from statistics import median

import pytest
import torch

from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.training.cached_loader import CachedLoader, TrainingImages
from corolla.training.recipe import Recipe

RECIPE = Recipe("scratch", "vit_pico_patch8_16", 16, 2)


@pytest.fixture(scope="module")
def images(swatches: Path) -> TrainingImages:
    """The 42 training images of three colors."""
    return TrainingImages.of(load_data(swatches), RECIPE, 16)


def taken(feed: CachedLoader, epoch: int, size: int = 16, start: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """An epoch as the training takes it: no batch beyond the last is asked for."""
    batches = feed.batches(epoch, size, start)
    return [next(batches) for _ in range(len(feed) - start)]


def same(one: list[tuple[torch.Tensor, torch.Tensor]], other: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in pairs)


def test_an_epoch_made_ahead_is_the_same_epoch(images: TrainingImages) -> None:
    plain, ahead = (CachedLoader(images, 8, 0, workers) for workers in (0, 2))
    expected = [taken(plain, epoch) for epoch in range(3)]
    for epoch in range(3):
        batches = ahead.batches(epoch, 16)
        found = [next(batches) for _ in range(len(ahead))]
        ahead.prepare(epoch + 1, 16)
        assert same(found, expected[epoch])


def test_an_epoch_made_ahead_of_another_size_or_from_another_batch_is_made_anew(images: TrainingImages) -> None:
    plain, ahead = (CachedLoader(images, 8, 0, workers) for workers in (0, 1))
    taken(ahead, 0)
    ahead.prepare(1, 16)
    assert same(taken(ahead, 1, size=8), taken(plain, 1, size=8))  # planned again, to another size
    ahead.prepare(2, 8)
    assert same(taken(ahead, 2, size=8, start=3), taken(plain, 2, size=8, start=3))
    ahead.prepare(3, 8)
    assert same(taken(ahead, 5, size=8), taken(plain, 5, size=8))


def test_a_worker_that_dies_on_an_epoch_made_ahead_costs_no_batch(images: TrainingImages) -> None:
    plain, ahead = (CachedLoader(images, 8, 0, workers) for workers in (0, 1))
    taken(ahead, 0)
    ahead.prepare(1, 16)
    [worker] = ahead.reading._workers  # type: ignore[union-attr]
    worker.kill()
    worker.join()
    assert same(taken(ahead, 1), taken(plain, 1))
    assert same(taken(ahead, 2), taken(plain, 2))


def test_an_epoch_of_ready_images_has_no_price_of_its_own(swatches: Path) -> None:
    """Held against an epoch without workers, taken in turns with it, so that it holds on a busy machine too.

    A worker brings its batches in about the time that the process itself would need; a wait of some seconds before
    the first of them would make it a hundred times as long.
    """
    manifest = load_data(swatches)
    examples = manifest.split("train") * 8
    many = TrainingImages.of(Manifest(manifest.root, examples), RECIPE, 16)
    feeds = {workers: CachedLoader(many, 16, 0, workers) for workers in (0, 1)}
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for epoch in range(7):
        for workers, feed in feeds.items():
            started = time.perf_counter()
            taken(feed, epoch)
            if epoch:  # the first starts the worker
                seconds[workers].append(time.perf_counter() - started)
    assert median(seconds[1]) < 10 * median(seconds[0])
