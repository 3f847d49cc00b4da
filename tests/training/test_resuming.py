"""Another training is not gone on with by mistake, and one's own is however it is spelled."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import corolla
from corolla.errors import CorollaError
from corolla.progress import Progress
from corolla.run import Run
from corolla.training.resuming import place_of, same_place

QUICK: dict[str, Any] = {
    "model": "vit_pico_conv8_16", "batch_size": 8, "workers": 0, "device": "cpu", "epochs": 2,
    "progressive_resizing": ((0.0, 1.0),),
}  # fmt: skip


class Notes(Progress):
    """Keeps what is noted, and can be told to break off at a stage."""

    def __init__(self, until: str = "") -> None:
        self.notes: list[str] = []
        self.until = until

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        if title == self.until:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def data(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that may be added to, by whoever takes them away again."""
    return Path(shutil.copytree(swatches, tmp_path_factory.mktemp("home") / "my photos"))


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return corolla.train(data, tmp_path_factory.mktemp("runs") / "run", **QUICK)


@pytest.fixture
def begun(data: Path, tmp_path: Path) -> Run:
    """A run that was broken off in its second epoch."""
    with pytest.raises(KeyboardInterrupt):
        corolla.train(data, tmp_path / "begun", progress=Notes(until="epoch 2/2"), **QUICK)
    return Run(tmp_path / "begun")


def contents(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.iterdir()}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"data": "no-such-folder"}, r"another data \(.*my photos\); repeat"),
        ({"data": "flowers"}, r"another data \(.*my photos\); repeat"),
        ({"recipe": "probe"}, r"another recipe \(scratch\); repeat"),
        ({"minutes": 5}, r"another minutes \(none\); repeat"),
        (
            {"epochs": 3, "data": "x", "minutes": 1.0, "seed": 3},
            r"data \(.*\), epochs \(2\), minutes \(none\), seed \(0\);",
        ),
        ({"epochs": 1.5}, "epochs is 1.5; it should be a whole number"),
    ],
)
def test_what_was_not_asked_for_at_first_is_refused_in_one_line_whether_finished_or_not(
    other: dict[str, Any], said: str, finished: Run, begun: Run, data: Path
) -> None:
    for run in (finished, begun):
        before = contents(run)
        with pytest.raises(CorollaError, match=said) as caught:
            corolla.train(out=run.folder, resume=True, **{"data": data} | QUICK | other)
        assert "\n" not in str(caught.value)
        assert contents(run) == before


def test_minutes_are_held_against_those_that_were_asked_for(finished: Run, data: Path, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(finished.folder, tmp_path / "run")))
    config = json.loads(run.config_file.read_text(encoding="utf-8"))
    assert config["training"]["asked"] == {
        "data": os.path.realpath(data), "recipe": None, "minutes": None, "class_folders": "", "duplicates": "",
    }  # fmt: skip
    config["training"]["asked"] |= {"minutes": 30.0, "recipe": "scratch"}
    run.config_file.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CorollaError, match=r"another minutes \(30\.0\)"):
        corolla.train(data, run.folder, minutes=31, resume=True)
    corolla.train(data, run.folder, minutes=30, recipe="scratch", resume=True)
    corolla.train(data, run.folder, resume=True)


def test_a_run_that_does_not_say_what_was_asked_for_is_gone_on_with(finished: Run, data: Path, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(finished.folder, tmp_path / "old")))
    config = json.loads(run.config_file.read_text(encoding="utf-8"))
    del config["training"]["asked"]
    run.config_file.write_text(json.dumps(config), encoding="utf-8")
    corolla.train(data, run.folder, recipe="scratch", minutes=3, resume=True)
    with pytest.raises(CorollaError, match=r"another recipe \(scratch\)"):
        corolla.train(data, run.folder, recipe="probe", resume=True)


def test_the_same_folder_is_the_same_however_it_is_spelled(
    data: Path, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(data.parent))
    monkeypatch.setenv("USERPROFILE", str(data.parent))
    monkeypatch.chdir(data.parent)
    spelled: list[str | Path] = [
        data.name,
        f"./{data.name}/",
        f"{data}{os.sep}",
        f"~/{data.name}",
        data,
        f"{data}/red/..",
    ]
    for each in spelled:
        assert place_of(each) == place_of(data)
        assert same_place(str(each), str(data))
    assert not same_place(str(data), str(data.parent))
    corolla.train(f"~/{data.name}/", finished.folder, resume=True, **QUICK | {"progressive_resizing": [[0, 1]]})


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_is_what_it_points_to(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    assert place_of(tmp_path / "link") == place_of(data)


def test_a_word_is_a_folder_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place_of("painted") == "painted"
    (tmp_path / "painted").mkdir()
    assert place_of("painted") == place_of("./painted") == os.path.realpath(tmp_path / "painted")
    assert not same_place("painted", place_of("painted"))


def test_images_that_came_later_are_named_and_not_trained_on(begun: Run, finished: Run, data: Path) -> None:
    came = [data / "red" / f"new {number}.png" for number in range(4)]
    for each in came:
        shutil.copy(data / "blue" / "blue 00.png", each)
    heard = Notes()
    try:
        corolla.train(data, begun.folder, resume=True, progress=heard, **QUICK)
    finally:
        for each in came:
            each.unlink()
    [said] = [note for note in heard.notes if "added" in note]
    assert said == (
        f"4 images were added to {data} since this training started and are not trained on: "
        "red/new 0.png, red/new 1.png, red/new 2.png, …"
    )
    one, other = load_file(begun.weights), load_file(finished.weights)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert np.isfinite(begun.history()[-1]["train_loss"])


def test_what_was_left_out_at_first_has_not_come_later(data: Path, tmp_path: Path) -> None:
    broken = data / "red" / "broken.png"
    broken.write_bytes(b"no image")
    heard = Notes()
    try:
        with pytest.raises(KeyboardInterrupt):
            corolla.train(data, tmp_path / "run", progress=Notes(until="epoch 1/2"), **QUICK)
        corolla.train(data, tmp_path / "run", resume=True, progress=heard, **QUICK)
    finally:
        broken.unlink()
    assert not [note for note in heard.notes if "added" in note]
