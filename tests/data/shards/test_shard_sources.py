"""Shards as a source: our own, other people's, and what Hugging Face `datasets` writes."""

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.data.manifest import SPLITS, Manifest
from corolla.data.sharding import write_shards
from corolla.data.sources import load_data
from corolla.data.streams import holdout as holding
from corolla.data.streams.unpacking import restore
from corolla.errors import CorollaError

LABELS = ("rose", "tulip")


def refusal(source: str | Path, **options: object) -> str:
    with pytest.raises(CorollaError) as caught:
        load_data(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def streamed(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The hash and label of every training image."""
    assert manifest.stream is not None
    for number in range(len(manifest.stream.parts)):
        for image in manifest.stream.read(number):
            yield hashlib.sha256(image.content).hexdigest(), manifest.classes[image.label]


def held_against_files(manifest: Manifest) -> None:
    """What a manifest says of its images is so."""
    for example in manifest.examples:
        assert hashlib.sha256(manifest.locate(example).read_bytes()).hexdigest() == example.sha256
    assert Counter(label for _, label in streamed(manifest)) == manifest.counts("train")
    training = set(streamed(manifest))
    assert {(e.sha256, e.label) for e in manifest.split("train")} <= training
    for split in ("val", "test"):
        assert not {(e.sha256, e.label) for e in manifest.split(split)} & training


@pytest.fixture
def tree(tmp_path: Path, make_image) -> Path:
    for number, label in enumerate(LABELS):
        for n in range(20):
            make_image(tmp_path / "tree" / label / f"{n}.png", 100 * number + n)
    return tmp_path / "tree"


@pytest.fixture
def members(image: Callable) -> Callable[..., list[tuple[str, bytes]]]:
    """The members of a tar of images, of alternating classes."""

    def make(first: int, count: int, word: Callable[[int], bytes] = lambda n: str(n % 2).encode()) -> list:
        numbers = range(first, first + count)
        return [pair for n in numbers for pair in ((f"{n:04d}.jpg", image(n)), (f"{n:04d}.cls", word(n)))]

    return make


def test_shards_give_the_images_that_they_were_made_from(tree: Path, tmp_path: Path) -> None:
    before = load_data(tree)
    write_shards(tree, tmp_path / "shards", images=5)
    manifest = load_data(tmp_path / "shards")
    assert manifest.classes == before.classes
    for split in SPLITS:
        assert manifest.counts(split) == before.counts(split)
        assert manifest.size(split) == len(before.split(split))
    for split in ("val", "test"):
        assert {(e.sha256, e.label) for e in manifest.split(split)} == {
            (e.sha256, e.label) for e in before.split(split)
        }
    assert sorted(streamed(manifest)) == sorted((e.sha256, e.label) for e in before.split("train"))
    held_against_files(manifest)


def test_moved_shards_are_the_same_data_and_nothing_is_unpacked_again(tree: Path, tmp_path: Path) -> None:
    write_shards(tree, tmp_path / "shards", images=5)
    first = load_data(tmp_path / "shards")
    (tmp_path / "shards").rename(tmp_path / "elsewhere")
    seen: list[str] = []
    again = load_data(tmp_path / "elsewhere", progress=lambda what, *_: seen.append(what))
    assert again.digest == first.digest
    assert again.root == first.root
    assert "unpacking" not in seen
    assert sorted(streamed(again)) == sorted(streamed(load_data(tmp_path / "elsewhere")))
    assert load_data(tmp_path / "elsewhere", seed=1).stream == replace(again.stream, seed=1)


def test_the_training_examples_are_a_few_of_each_class(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(tree, tmp_path / "shards", images=5)
    monkeypatch.setattr(holding, "SAMPLE", 10)
    manifest = load_data(tmp_path / "shards")
    assert Counter(example.label for example in manifest.split("train")) == {"rose": 5, "tulip": 5}
    assert manifest.size("train") == 28
    few = manifest.with_examples(manifest.split("train"))
    assert few.stream is None
    assert few.size("train") == 10
    assert few.classes == manifest.classes


def test_groups_and_copies_come_along(tree: Path, tmp_path: Path) -> None:
    for split, label, n in (("train", "rose", 0), ("train", "tulip", 0), ("val", "rose", 1), ("val", "tulip", 1),
                            ("test", "rose", 2), ("test", "tulip", 2)):  # fmt: skip
        with (tree / "t.csv").open("a") as file:
            file.write("path,label,split,group\n" if n + (label == "rose") == 1 and split == "train" else "")
            file.write(f"{label}/{n}.png,{label},{split},g-{n}\n")
    shutil.copy(tree / "rose" / "1.png", tree / "rose" / "copy.png")
    with (tree / "t.csv").open("a") as file:
        file.write("rose/copy.png,rose,val,g-1\n")
    write_shards(tree / "t.csv", tmp_path / "shards")
    manifest = load_data(tmp_path / "shards")
    assert {example.group for example in manifest.split("val")} == {"g-1"}
    assert Counter(example.label for example in manifest.split("val")) == {"rose": 2, "tulip": 1}
    assert len({example.path for example in manifest.examples}) == 7


@pytest.mark.parametrize("fault", ["gone", "cut", "listed wrongly", "no list", "another format", "outside"])
def test_shards_that_are_not_what_was_written_are_refused(tree: Path, tmp_path: Path, fault: str) -> None:
    write_shards(tree, tmp_path / "shards", images=5)
    file, listed = tmp_path / "shards" / "train-00001.tar", tmp_path / "shards" / "shards.json"
    said = json.loads(listed.read_text())
    if fault == "gone":
        file.unlink()
    elif fault == "cut":
        file.write_bytes(file.read_bytes()[:-512])
    elif fault == "listed wrongly":
        said["shards"][0]["counts"] = {"rose": "many"}
    elif fault == "no list":
        said = [1, 2]
    elif fault == "another format":
        said["format"] = "corolla shards 99"
    else:
        said["shards"][0]["name"] = "../../train-00000.tar"
    listed.write_text(json.dumps(said))
    assert str(tmp_path / "shards") in refusal(tmp_path / "shards")


def test_tars_of_others_with_their_splits(tmp_path: Path, members: Callable, pack: Callable) -> None:
    shards = tmp_path / "wds"
    pack(shards / "imagenet-train-000.tar", members(0, 10))
    pack(shards / "imagenet-train-001.tar", members(10, 7))
    pack(shards / "imagenet-validation-000.tar", members(20, 6))
    pack(shards / "test" / "0.tar", members(30, 4))
    (shards / "classes.txt").write_text("rose\ntulip\n")
    manifest = load_data(shards)
    assert manifest.classes == LABELS
    assert [manifest.size(split) for split in SPLITS] == [17, 6, 4]
    assert manifest.counts("train") == {"rose": 9, "tulip": 8}
    held_against_files(manifest)
    pattern = load_data(str(shards / "imagenet-{train-{000..001},validation-000}.tar"))
    assert pattern.size("train") + pattern.size("test") == 17
    assert pattern.counts("val") == manifest.counts("val")
    assert load_data(str(shards / "imagenet-*.tar")).stream.counts == pattern.stream.counts
    assert "no file matches" in refusal(str(shards / "imagenet-train-{000..002}.tar"))
    assert "no file matches" in refusal(str(shards / "nothing-*.tar"))


def test_what_is_missing_is_held_out_by_the_seed(tmp_path: Path, members: Callable, pack: Callable) -> None:
    for number in range(4):
        pack(tmp_path / "wds" / f"{number}.tar", members(25 * number, 25, lambda n: b"rose" if n % 5 else b"tulip"))
    manifest = load_data(tmp_path / "wds")
    assert manifest.counts("train") == {"rose": 56, "tulip": 14}
    assert manifest.counts("val") == manifest.counts("test") == {"rose": 12, "tulip": 3}
    held_against_files(manifest)
    again = load_data(tmp_path / "wds")
    assert (again.digest, again.examples) == (manifest.digest, manifest.examples)
    other = load_data(tmp_path / "wds", seed=1)
    assert other.counts("val") == manifest.counts("val")
    assert {e.sha256 for e in other.split("val")} != {e.sha256 for e in manifest.split("val")}
    assert load_data(tmp_path / "wds", fractions=(0.8, 0.1, 0.1)).size("val") == 10


def test_no_more_than_is_needed_is_held_out(
    tmp_path: Path, members: Callable, pack: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "MOST_HELD", 6)
    pack(tmp_path / "0.tar", members(0, 100))
    manifest = load_data(tmp_path / "0.tar")
    assert [manifest.size(split) for split in SPLITS] == [88, 6, 6]


def test_too_few_to_hold_out(tmp_path: Path, members: Callable, pack: Callable) -> None:
    pack(tmp_path / "0.tar", members(0, 5))
    assert "class '1' has too few images (2) to be split into train, val, test" in refusal(tmp_path / "0.tar")
    pack(tmp_path / "0.tar", members(0, 9, lambda n: b"rose"))
    assert "the single class 'rose'" in refusal(tmp_path / "0.tar")
    pack(tmp_path / "val.tar", members(0, 9))
    assert "nothing to train on" in refusal(tmp_path / "val.tar")


def test_the_index_is_made_once(
    tmp_path: Path, members: Callable, pack: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pack(tmp_path / "0.tar", members(0, 20))
    load_data(file)
    from corolla.data.shards import index

    made: list[Path] = []
    make = index.made
    monkeypatch.setattr(index, "made", lambda path: made.append(path) or make(path))
    load_data(file)
    assert made == []
    os.utime(file, (1, 1))
    load_data(file)
    assert made == [file]


def test_damage_is_told_and_what_lies_before_it_is_used(tmp_path: Path, members: Callable, pack: Callable) -> None:
    pack(tmp_path / "w" / "0.tar", members(0, 20))
    broken = pack(tmp_path / "w" / "1.tar", members(20, 20))
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    manifest = load_data(tmp_path / "w")
    assert 20 < sum(manifest.size(split) for split in SPLITS) < 40
    assert [skipped.path for skipped in manifest.skipped] == ["1.tar"]
    assert "truncated" in manifest.skipped[0].reason or "unexpected end" in manifest.skipped[0].reason
    assert "1.tar" in refusal(tmp_path / "w", strict=True)


def test_a_damaged_validation_image_is_left_out(tmp_path: Path, members: Callable, pack: Callable) -> None:
    pack(tmp_path / "train.tar", members(0, 10))
    pack(tmp_path / "val.tar", [*members(10, 6), ("9999.jpg", b"no image"), ("9999.cls", b"1")])
    manifest = load_data(str(tmp_path / "*.tar"))
    assert manifest.size("val") == 6
    assert [skipped.reason for skipped in manifest.skipped] == ["not an image in a known format"]


def test_names_in_a_tar_lead_nowhere(tmp_path: Path, image: Callable, pack: Callable) -> None:
    names = [f"../../{tmp_path.name}-{n}" if n % 2 else f"/tmp/{tmp_path.name}-{n}" for n in range(20)]
    content = [
        pair for n, name in enumerate(names) for pair in ((f"{name}.jpg", image(n)), (f"{name}.cls", b"%d" % (n % 2)))
    ]
    content = [(name, text) for name, text in content]
    before = {path for path in tmp_path.parent.rglob("*") if "own cache" not in path.parts}
    manifest = load_data(pack(tmp_path / "0.tar", content))
    assert all(len(example.path.split("/")) == 2 and example.sha256 in example.path for example in manifest.examples)
    after = {path for path in tmp_path.parent.rglob("*") if "own cache" not in path.parts}
    assert after - before == {tmp_path / "0.tar"}


def test_folders_that_are_no_shards_stay_what_they_were(tree: Path, members: Callable, pack: Callable) -> None:
    pack(tree / "backup.tar", members(0, 4))
    assert load_data(tree).stream is None
    for file in (tree / "rose").iterdir():
        file.rename(tree / f"rose {file.name}")
    for file in (tree / "tulip").iterdir():
        file.rename(tree / f"tulip {file.name}")
    (tree / "rose").rmdir()
    (tree / "tulip").rmdir()
    names = sorted(file.name for file in tree.glob("*.png"))
    (tree / "labels.csv").write_text("path,label\n" + "".join(f"{name},{name.split()[0]}\n" for name in names))
    assert load_data(tree).stream is None


def rows(first: int, count: int) -> dict[str, list]:
    """Images as `datasets` takes them, of alternating classes."""
    noise = [
        np.random.default_rng(n).integers(0, 256, (16, 20, 3), dtype=np.uint8) for n in range(first, first + count)
    ]
    return {"image": [Image.fromarray(pixels) for pixels in noise], "label": [n % 2 for n in range(count)]}


@pytest.fixture(scope="session")
def dataset_dict():
    """A `datasets.DatasetDict` with three splits."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["tulip", "rose"]))
    sizes = {"train": (0, 30), "validation": (30, 6), "test": (40, 4)}
    return datasets.DatasetDict({k: datasets.Dataset.from_dict(rows(*v), features=features) for k, v in sizes.items()})


def pixels(manifest: Manifest, split: str) -> list[tuple[bytes, str]]:
    """The pixels and label of every image of a split."""
    if split == "train":
        parts = range(len(manifest.stream.parts))
        found = [(p.content, manifest.classes[p.label]) for number in parts for p in manifest.stream.read(number)]
    else:
        found = [(manifest.locate(e).read_bytes(), e.label) for e in manifest.split(split)]
    return sorted((np.asarray(Image.open(io.BytesIO(content))).tobytes(), label) for content, label in found)


def expected(dataset) -> list[tuple[bytes, str]]:
    names = dataset.features["label"].names
    return sorted((np.asarray(row["image"]).tobytes(), names[row["label"]]) for row in dataset)


@pytest.mark.parametrize("kind", ["parquet", "save_to_disk", "folders"])
def test_what_datasets_writes(tmp_path: Path, dataset_dict, kind: str) -> None:
    folder = tmp_path / "hf"
    if kind == "save_to_disk":
        dataset_dict.save_to_disk(folder, num_shards={"train": 3, "validation": 1, "test": 1})
    for split, dataset in dataset_dict.items():
        if kind == "parquet":
            (folder / "data").mkdir(parents=True, exist_ok=True)
            dataset.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet", batch_size=8)
        if kind == "folders":
            (folder / split).mkdir(parents=True)
            dataset.to_parquet(folder / split / "0000.parquet", batch_size=8)
    manifest = load_data(folder)
    assert manifest.classes == LABELS
    assert len(manifest.stream.parts) == (3 if kind == "save_to_disk" else 4)
    for split, theirs in zip(SPLITS, ("train", "validation", "test"), strict=True):
        assert pixels(manifest, split) == expected(dataset_dict[theirs])
    held_against_files(manifest)


def test_one_parquet_file_is_split_and_a_table_of_paths_stays_one(tmp_path: Path, dataset_dict, tree: Path) -> None:
    dataset_dict["train"].to_parquet(tmp_path / "all.parquet", batch_size=7)
    manifest = load_data(tmp_path / "all.parquet")
    assert [manifest.size(split) for split in SPLITS] == [22, 4, 4]
    held_against_files(manifest)
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [f"{label}/{n}.png" for label in LABELS for n in range(20)]
    pq.write_table(pa.table({"image": paths, "label": [path.split("/")[0] for path in paths]}), tree / "paths.parquet")
    assert load_data(tree / "paths.parquet").stream is None


def test_columns_without_the_words_of_datasets(tmp_path: Path, image: Callable) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = ["rose", "tulip", None, "-1"] * 10
    files = [image(n) for n in range(40)]
    pq.write_table(
        pa.table({"id": range(40), "jpg": files, "category": words}), tmp_path / "a.parquet", row_group_size=9
    )
    manifest = load_data(tmp_path / "a.parquet")
    assert sum(manifest.size(split) for split in SPLITS) == 20
    assert manifest.classes == LABELS
    held_against_files(manifest)


def test_cells_with_a_path_only_are_not_followed(tmp_path: Path, image: Callable, tree: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [{"bytes": image(n), "path": None} for n in range(20)]
    cells[3] = {"bytes": None, "path": str(tree / "rose" / "1.png")}
    pq.write_table(pa.table({"image": cells, "label": [n % 2 for n in range(20)]}), tmp_path / "a.parquet")
    manifest = load_data(tmp_path / "a.parquet", seed=4)
    contents = [p.content for p in manifest.stream.read(0)] + [
        manifest.locate(e).read_bytes() for e in manifest.examples
    ]
    assert (tree / "rose" / "1.png").read_bytes() not in contents


def test_a_damaged_parquet_file(tmp_path: Path, dataset_dict) -> None:
    dataset_dict["train"].to_parquet(tmp_path / "all.parquet", batch_size=7)
    content = (tmp_path / "all.parquet").read_bytes()
    (tmp_path / "all.parquet").write_bytes(content[:-8] + b"\xff" * 8)
    assert "cannot read" in refusal(tmp_path / "all.parquet")


def test_a_run_finds_its_stream_again(tree: Path, tmp_path: Path, own_cache: Path) -> None:
    write_shards(tree, tmp_path / "shards", images=5)
    manifest = load_data(tmp_path / "shards")
    manifest.save(tmp_path / "manifest.csv")
    origin = json.loads(json.dumps(manifest.stream.origin))

    def again() -> Manifest:
        return restore(Manifest.load(tmp_path / "manifest.csv", manifest.root), origin)

    assert again().stream == manifest.stream
    assert again().digest == manifest.digest
    shutil.rmtree(own_cache)
    assert again().stream == manifest.stream
    held_against_files(again())
    again().locate(again().examples[3]).unlink()
    held_against_files(again())
    (again().root / "manifest.csv").write_text("damaged")
    held_against_files(load_data(tmp_path / "shards"))
    (tmp_path / "shards").rename(tmp_path / "away")
    assert again().root.is_dir()  # answers about the unpacked images need no more
    with pytest.raises(CorollaError, match="bring it back"):
        again().stream.check()
    with pytest.raises(CorollaError, match="bring it back"):
        list(streamed(again()))
    shutil.rmtree(own_cache)
    with pytest.raises(CorollaError, match="not there any more"):
        again()
    write_shards(tree, tmp_path / "shards", images=4)
    with pytest.raises(CorollaError, match="has changed since this run started"):
        again()
