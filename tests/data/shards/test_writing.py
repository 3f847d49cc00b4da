"""`corolla data shard`: what is written, that others read it, and that a stopped one goes on."""

import gc
import hashlib
import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from corolla.data import sharding as writing
from corolla.data.sharding import write_shards
from corolla.data.sources import load_data
from corolla.errors import CorollaError

LABELS = ("daisy", "rose é")


@pytest.fixture
def tree(tmp_path: Path, make_image) -> Path:
    """Twenty different images of each of two classes, one of them a JPEG with the wrong ending."""
    for number, label in enumerate(LABELS):
        for n in range(20):
            make_image(tmp_path / "tree" / label / f"{n}.png", 100 * number + n)
    with Image.open(tmp_path / "tree" / LABELS[0] / "0.png") as image:
        image.save(tmp_path / "tree" / LABELS[0] / "0.png", format="JPEG")
    return tmp_path / "tree"


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_hold_every_image_of_its_split_untouched(tree: Path, tmp_path: Path) -> None:
    manifest = load_data(tree)
    said = write_shards(tree, tmp_path / "out", images=10)
    assert said == json.loads((tmp_path / "out" / "shards.json").read_text(encoding="utf-8"))
    assert [shard["name"] for shard in said["shards"]] == [
        "train-00000.tar", "train-00001.tar", "train-00002.tar", "val-00000.tar", "test-00000.tar",
    ]  # fmt: skip
    rows = []
    for shard in said["shards"]:
        file = tmp_path / "out" / shard["name"]
        assert (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()) == (shard["bytes"], shard["sha256"])
        with tarfile.open(file) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}
            assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}
        for name, content in files.items():
            key, _, suffix = name.partition(".")
            if suffix in ("jpg", "png"):
                facts = json.loads(files[f"{key}.json"])
                assert hashlib.sha256(content).hexdigest() == facts["sha256"]
                assert content == (tree / facts["path"]).read_bytes()
                assert files[f"{key}.cls"] == str(LABELS.index(facts["label"])).encode()
                assert suffix == ("jpg" if content.startswith(b"\xff\xd8") else "png")
                rows.append((facts["path"], facts["label"], shard["split"]))
        assert shard["counts"] == Counter(label for _, label, split in rows[-shard["images"] :])
    assert sorted(rows) == sorted((e.path, e.label, e.split) for e in manifest.examples)


def test_every_training_shard_has_every_class_and_the_seed_decides_the_order(tree: Path, tmp_path: Path) -> None:
    first = write_shards(tree, tmp_path / "a", images=4)
    for shard in first["shards"]:
        assert shard["split"] != "train" or set(shard["counts"].values()) == {2}
    write_shards(tree, tmp_path / "b", images=4)
    assert state(tmp_path / "a") == state(tmp_path / "b")
    assert write_shards(tree, tmp_path / "c", images=4, seed=1)["shards"] != first["shards"]


def test_a_shard_is_full_at_its_megabytes(tree: Path, tmp_path: Path) -> None:
    said = write_shards(tree, tmp_path / "out", megabytes=0.02)
    assert len(said["shards"]) > 3
    for shard in said["shards"]:
        with tarfile.open(tmp_path / "out" / shard["name"]) as tar:
            sizes = [member.size for member in tar if member.name.endswith(("png", "jpg"))]
        assert sum(sizes) <= 20_000 or len(sizes) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves files open
def test_webdataset_reads_them(tree: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    said = write_shards(tree, tmp_path / "out", images=10)
    names = [str(tmp_path / "out" / shard["name"]) for shard in said["shards"] if shard["split"] == "train"]
    dataset = webdataset.WebDataset(names, shardshuffle=False).decode("pil").to_tuple("jpg;png", "cls", "json")
    pairs = [(image.size, number, facts["label"]) for image, number, facts in dataset]
    assert len(pairs) == 28
    assert {(size, LABELS[number]) for size, number, _ in pairs} == {((40, 30), label) for label in LABELS}
    assert all(LABELS[number] == label for _, number, label in pairs)
    del dataset
    gc.collect()


def test_a_stopped_command_goes_on_and_ends_as_an_unbroken_one(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(tree, tmp_path / "whole", images=5)
    write_tar, calls = writing.write_tar, []

    def stopping(path: Path, shard: writing.Shard, *rest: object) -> None:
        calls.append(shard.name)
        if len(calls) == 4:
            path.write_bytes(b"half of it")
            raise KeyboardInterrupt
        write_tar(path, shard, *rest)

    monkeypatch.setattr(writing, "write_tar", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_shards(tree, tmp_path / "out", images=5)
    assert sorted(state(tmp_path / "out")) == ["train-00000.tar", "train-00001.tar", "train-00002.tar", writing.JOURNAL]
    (tmp_path / "out" / "train-00001.tar").write_bytes(b"damaged since")
    for name in (".train-00003-x7.tar", ".unfinished-x8.json", ".shards-x9.json"):
        (tmp_path / "out" / name).write_bytes(b"what a killed process leaves")
    write_shards(tree, tmp_path / "out", images=5)
    assert calls[4:] == ["train-00001.tar", "train-00003.tar", "train-00004.tar", "train-00005.tar"] + [
        f"{split}-0000{number}.tar" for split in ("val", "test") for number in range(2)
    ]
    assert state(tmp_path / "out") == state(tmp_path / "whole")
    calls.clear()
    write_shards(tree, tmp_path / "out", images=5)  # and once more: nothing is left to do
    assert calls == []


def test_a_folder_of_anything_else_is_refused(tree: Path, tmp_path: Path, make_image) -> None:
    def refusal(**options: int) -> str:
        before = state(tmp_path / "out")
        with pytest.raises(CorollaError) as caught:
            write_shards(tree, tmp_path / "out", **options)
        assert state(tmp_path / "out") == before
        return str(caught.value)

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear all")
    assert "not an empty folder" in refusal()
    (tmp_path / "out" / "letter.txt").unlink()
    write_shards(tree, tmp_path / "out", images=10)
    assert "other data or options" in refusal(images=9)
    make_image(tree / LABELS[0] / "one more.png", 999)
    assert "other data or options" in refusal(images=10)


def test_a_full_disk_is_one_line_and_keeps_what_is_whole(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar = writing.write_tar

    def full(path: Path, shard: writing.Shard, *rest: object) -> None:
        if shard.name == "train-00001.tar":
            raise OSError(28, "No space left on device", str(path))
        write_tar(path, shard, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_tar", full)
        with pytest.raises(CorollaError, match=r"No space left on device; complete shards stay") as caught:
            write_shards(tree, tmp_path / "out", images=10)
    assert "\n" not in str(caught.value)
    assert sorted(state(tmp_path / "out")) == ["train-00000.tar", writing.JOURNAL]
    write_shards(tree, tmp_path / "out", images=10)
    shutil.rmtree(tree)


def test_an_image_that_changes_meanwhile_stops_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_image
) -> None:
    plan = writing.plan

    def change(*given: object) -> object:
        make_image(tree / LABELS[1] / "3.png", 12345)
        return plan(*given)

    monkeypatch.setattr(writing, "plan", change)
    with pytest.raises(CorollaError, match=r"3\.png was changed while"):
        write_shards(tree, tmp_path / "out", images=10)
