"""A training on shards: stopped in the middle of an epoch, its cache emptied, it ends as an unbroken one."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import corolla
from corolla.cache import cache_folder
from corolla.data.sharding import write_shards
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.run import Run
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.stopping import Stopped
from corolla.training.streaming_loader import StreamingLoader
from corolla.training.timing import Trial

QUICK: dict[str, Any] = {"model": "vit_pico_conv8_16", "batch_size": 8, "workers": 0, "device": "cpu", "epochs": 3}


class CtrlC(Progress):
    """Asks for an end at the third step of the second epoch."""

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        if title.startswith("epoch 2/") and done == 3:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def shards(swatches: Path, tmp_path: Path) -> Path:
    write_shards(swatches, tmp_path / "shards", images=7)
    return tmp_path / "shards"


def test_a_streamed_training_goes_on_exactly_where_it_was_stopped(shards: Path, tmp_path: Path) -> None:
    whole = corolla.train(shards, tmp_path / "whole", **QUICK)
    assert whole.load_config().data["counts"]["train"] == {"blue": 14, "green": 14, "red": 14}
    with pytest.raises(Stopped):
        corolla.train(shards, tmp_path / "run", progress=CtrlC(), **QUICK)
    shutil.rmtree(cache_folder() / "streams")
    run = corolla.train(shards, tmp_path / "run", resume=True, **QUICK)
    first, second = load_file(whole.weights), load_file(run.weights)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert corolla.evaluate(run.folder).accuracy == corolla.evaluate(whole.folder).accuracy


def test_shards_that_are_gone_stop_a_training_in_one_line_and_not_its_answers(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        corolla.train(shards, tmp_path / "run", progress=CtrlC(), **QUICK)
    shards.rename(tmp_path / "away")
    assert Run(tmp_path / "run").load_manifest().split("test")
    with pytest.raises(CorollaError, match="bring it back") as caught:
        corolla.train(shards, tmp_path / "run", resume=True, **QUICK)
    assert "\n" not in str(caught.value)
    (tmp_path / "away").rename(shards)
    assert corolla.train(shards, tmp_path / "run", resume=True, **QUICK).load_config().training["finished"]


def test_the_dial_times_the_stream_itself(shards: Path) -> None:
    manifest = load_data(shards)
    trial = Trial(manifest, Runtime("cpu", 0), Progress(), 1.0, None, None)
    recipe = RECIPE.changed(model="vit_pico_conv8_16", image_size=16, batch_size=8)
    assert trial.step(recipe, 16) > 0
    [trainer] = trial.trainers.values()
    assert isinstance(trainer.feed, StreamingLoader)
