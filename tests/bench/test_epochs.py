"""What of an epoch is not training is measured on a real training, and a fixed cost of an epoch is seen in it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corolla.bench.epochs import EpochCost, divided, measure_epochs
from corolla.data.manifest import Manifest
from corolla.data.sources import list_source
from corolla.training.cached_loader import CachedLoader
from corolla.training.runtime import Runtime


@pytest.fixture(scope="module")
def manifest(swatches: Path) -> Manifest:
    listing = list_source(swatches)
    return Manifest(listing.root, tuple(replace(each, split="train") for each in listing.examples))


def test_the_figures_follow_from_the_times() -> None:
    cost = EpochCost(160, images=500, validated=250, epochs=4, seconds=10.0, step_seconds=9.5, validation_seconds=2.0)
    assert cost.overhead == pytest.approx(0.05)
    assert cost.images_per_second == pytest.approx(200)
    assert cost.validation_per_1000 == pytest.approx(8.0)
    assert cost.to_json()["overhead"] == cost.overhead


def test_few_images_are_used_again_and_each_fifth_is_for_validation(manifest: Manifest) -> None:
    split = divided(manifest, 150)
    assert len(manifest.examples) == 60
    assert (split.size("train"), split.size("val")) == (120, 30)
    assert split.classes == manifest.classes


def test_a_training_is_measured_and_a_pause_before_each_epoch_is_seen(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Runtime("cpu", 0)
    cost = measure_epochs(manifest, 32, machine, 0.0, fewest=60)
    assert (cost.size, cost.epochs, cost.images, cost.validated) == (32, 2, 32, 12)
    assert 0 < cost.step_seconds < cost.seconds
    assert cost.validation_seconds > 0
    whole, pause = CachedLoader.batches, cost.seconds / cost.epochs

    def paused(feed: CachedLoader, *asked: Any) -> Iterator[Any]:
        time.sleep(pause)
        yield from whole(feed, *asked)

    monkeypatch.setattr(CachedLoader, "batches", paused)
    slower = measure_epochs(manifest, 32, machine, 0.0, fewest=60)
    assert slower.seconds - slower.step_seconds > 2 * pause


def test_an_epoch_of_a_moment_gets_more_images(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def trained(manifest: Manifest, size: int, machine: Runtime, images: int) -> EpochCost:
        asked.append(images)
        return EpochCost(size, images, images, 2, 2 * images / 100, 0.0, 1.0)  # 100 images a second

    monkeypatch.setattr("corolla.bench.epochs.train_epochs", trained)
    assert measure_epochs(manifest, 64, Runtime("cpu", 0), 3.0, fewest=150).images == 300
    assert measure_epochs(manifest, 64, Runtime("cpu", 0), 1.5, fewest=150).images == 150
    assert asked == [150, 300, 150]
