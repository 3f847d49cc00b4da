"""`corolla data`: fetch, paint and shard."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corolla.data.flowers import CLASSES


def test_paint_makes_a_folder_for_each_kind(corolla: Callable, tmp_path: Path) -> None:
    said = corolla("data", "paint", tmp_path / "new", "--count", 6, "--size", 32, "--seed", 3)
    assert said.status == 0
    assert said.out == f"{tmp_path / 'new'}\n"
    painted = {path.parent.name: path.read_bytes() for path in (tmp_path / "new").rglob("*.jpg")}
    assert len(painted) == 5
    assert len(list((tmp_path / "new").rglob("*.jpg"))) == 6


def test_paint_refuses_a_folder_with_other_things(corolla: Callable, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    assert "letter.txt" in corolla("data", "paint", tmp_path, "--count", 5).line


def test_paint_says_what_it_needs(corolla: Callable, tmp_path: Path) -> None:
    assert "5" in corolla("data", "paint", tmp_path, "--count", 2).line
    assert "4 pixels" in corolla("data", "paint", tmp_path, "--count", 5, "--size", 4).line


def test_fetch_prints_the_folder_that_is_there_already(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CLASSES:
        (tmp_path / "flower_photos" / name).mkdir(parents=True)
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path))
    said = corolla("data", "fetch", "flowers")
    assert (said.status, said.out) == (0, f"{tmp_path / 'flower_photos'}\n")


def test_fetch_says_that_a_named_folder_holds_none(
    corolla: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path))
    assert "COROLLA_DATA" in corolla("data", "fetch", "flowers").line


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 painted images."""
    from corolla.painted import paint_dataset

    return paint_dataset(tmp_path_factory.mktemp("painted") / "my images", 150, size=24)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shard_packs_painted_images_and_tells_how_many(corolla: Callable, painted: Path, tmp_path: Path) -> None:
    said = corolla("data", "shard", painted, tmp_path / "shards", "--images", 40)
    assert (said.status, said.out) == (0, f"{tmp_path / 'shards'}\n")
    assert said.err == "150 images of 5 classes in 5 shards\n"
    listed = json.loads((tmp_path / "shards" / "shards.json").read_text())
    assert [shard["images"] for shard in listed["shards"] if shard["split"] == "train"] == [40, 40, 25]
    assert corolla("data", "shard", painted, tmp_path / "shards", "--images", 40, "--quiet").err == ""
    assert "other data or options" in corolla("data", "shard", painted, tmp_path / "shards", "--seed", 1).line
    assert "consists of shards already" in corolla("data", "shard", tmp_path / "shards", tmp_path / "again").line
    assert "--megabytes is inf" in corolla("data", "shard", painted, tmp_path / "new", "--megabytes", "inf").line


def test_shard_tells_what_it_leaves_out(corolla: Callable, tmp_path: Path) -> None:
    from corolla.painted import paint_dataset

    paint_dataset(tmp_path / "some", 60, size=24)
    (tmp_path / "some" / "rose" / "notes.txt").write_text("water daily")
    said = corolla("data", "shard", tmp_path / "some", tmp_path / "shards")
    told = "  skipped rose/notes.txt: not an image in a known format"
    assert said.err.splitlines() == [told, "60 images of 5 classes in 3 shards"]
    listed = json.loads((tmp_path / "shards" / "shards.json").read_text())
    assert listed["skipped"] == [["rose/notes.txt", "not an image in a known format"]]


def test_shard_goes_on_after_a_kill(corolla: Callable, start: Callable, painted: Path, tmp_path: Path) -> None:
    words = ("data", "shard", painted, tmp_path / "out", "--images", 1)
    for _ in range(10):  # on a busy machine it may be at its end before it is killed
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        process = start(*words)
        until = time.monotonic() + 300
        while len(list((tmp_path / "out").glob("train-*.tar"))) < 5 and process.poll() is None:
            assert time.monotonic() < until
        process.kill()
        process.communicate()
        if not (tmp_path / "out" / "shards.json").exists():
            break
    left = {name: text for name, text in files(tmp_path / "out").items() if name.startswith("train-")}
    assert not (tmp_path / "out" / "shards.json").exists()
    assert corolla(*words).status == 0
    assert corolla("data", "shard", painted, tmp_path / "whole", "--images", 1).status == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert left.items() <= files(tmp_path / "whole").items()  # nothing half under its final name


def test_shards_are_data_for_a_training_and_an_evaluation(corolla: Callable, painted: Path, tmp_path: Path) -> None:
    corolla("data", "shard", painted, tmp_path / "shards", "--images", 40)
    tiny = ("--model", "vit_pico_patch8_16", "--epochs", 1, "--workers", 0, "--device", "cpu", "--quiet")
    assert corolla("train", tmp_path / "shards", "--out", tmp_path / "run", *tiny).status == 0
    own = json.loads(corolla("evaluate", tmp_path / "run", "--json").out)
    given = json.loads(corolla("evaluate", tmp_path / "run", tmp_path / "shards", "--json").out)
    assert own["accuracy"] == given["accuracy"]
    assert own["n"] == 22
