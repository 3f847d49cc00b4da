"""Batches of a stream are the same whoever reads them: any number of processes and workers, from any batch on."""

import hashlib
import io
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corolla.data import stream as streams
from corolla.data.manifest import Manifest
from corolla.data.sharding import write_shards
from corolla.data.sources import load_data
from corolla.data.stream import ImageStream, Part
from corolla.errors import CorollaError
from corolla.training import interleaving as lanes_module
from corolla.training.interleaving import InterleavedShuffle, lanes_of
from corolla.training.recipe import Recipe
from corolla.training.streaming_loader import StreamingLoader

RECIPE = Recipe("scratch", "vit_pico_patch8_16", 16, 2)
Batches = list[tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture(scope="module")
def manifest(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """42 training images of three classes in nine shards."""
    folder = tmp_path_factory.mktemp("shards")
    write_shards(swatches, folder, images=5)
    return load_data(folder)


def batches(stream: ImageStream, epoch: int = 1, start: int = 0, batch_size: int = 8, seed: int = 3, **how) -> Batches:
    feed = StreamingLoader(stream, RECIPE, batch_size, seed, **{"workers": 0, **how})
    return list(feed.batches(epoch, 16, start))


def same(one: Batches, other: Batches) -> bool:
    pairs = zip(one, other, strict=True)
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in pairs)


def test_a_batch(manifest: Manifest) -> None:
    found = batches(manifest.stream)
    assert len(found) == len(StreamingLoader(manifest.stream, RECIPE, 8, 3, 0)) == 5
    for views, labels in found:
        assert views.shape == (8, 3, 16, 16)
        assert views.dtype == torch.uint8
        assert views.is_contiguous(memory_format=torch.channels_last)
        assert labels.shape == (8,)
    assert not same(found, batches(manifest.stream, epoch=2))
    assert not same(found, batches(manifest.stream, seed=4))
    assert same(found, batches(manifest.stream))


@settings(max_examples=25)
@given(st.data())
def test_any_start_and_any_processes_give_the_same_batches(manifest: Manifest, data: st.DataObject) -> None:
    batch_size, epoch = data.draw(st.integers(1, 50)), data.draw(st.integers(0, 3))
    processes = data.draw(st.integers(1, lanes_of(min(batch_size, 42))))
    whole = batches(manifest.stream, epoch, batch_size=batch_size)
    start = data.draw(st.integers(0, len(whole)))
    parts = [
        batches(manifest.stream, epoch, start, batch_size, rank=rank, processes=processes) for rank in range(processes)
    ]
    joined = [tuple(torch.cat(pieces) for pieces in zip(*batch, strict=True)) for batch in zip(*parts, strict=True)]
    assert same(whole[start:], joined)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("rank", "processes"), [(0, 1), (1, 2)])
def test_workers_give_the_same_batches(manifest: Manifest, workers: int, rank: int, processes: int) -> None:
    alone = batches(manifest.stream, start=1, rank=rank, processes=processes)
    assert same(alone, batches(manifest.stream, start=1, rank=rank, processes=processes, workers=workers))


def test_a_start_in_the_middle_of_a_window_reads_that_window_and_no_earlier_part(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "BUFFER", 16)
    whole = batches(manifest.stream, batch_size=2)
    seen: list[int] = []
    read = ImageStream.read
    monkeypatch.setattr(ImageStream, "read", lambda s, number, start=0: seen.append(number) or read(s, number, start))
    assert same(whole[15:], batches(manifest.stream, start=15, batch_size=2))
    assert len(seen) <= 6  # of nine parts, two lanes


class FlatStream(ImageStream):
    """As many images as wanted, each a number and nothing else."""

    def read(self, number: int, start: int = 0):
        for place in range(start, self.parts[number].count):
            yield streams.StreamedImage(b"", 0, f"{number}/{place}")


def flat(*counts: int) -> FlatStream:
    parts = tuple(Part(Path("x.tar"), number, count, 0, count, "") for number, count in enumerate(counts))
    return FlatStream("x", 0, (0.7, 0.15, 0.15), ("a",), (sum(counts),), {}, parts)


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(1, 40), st.integers(0, 5), st.integers(1, 100)
)
def test_an_epoch_has_every_image_once_but_for_the_rest(
    counts: list[int], batch_size: int, epoch: int, buffer: int
) -> None:
    stream = flat(*counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes_module, "BUFFER", buffer)
        lanes = InterleavedShuffle(stream, min(batch_size, len(stream)), 7, epoch)
        seen = [[drawn for _, window in lanes.windows(lane, 0) for drawn in window] for lane in range(lanes.count)]
    assert {len(lane) for lane in seen} == {len(stream) // lanes.count}
    indices = [drawn.index for lane in seen for drawn in lane]
    assert len(set(indices)) == len(indices)
    assert set(indices) <= set(range(len(stream)))
    starts = [sum(counts[:number]) for number in range(len(counts))]
    for lane in seen:
        for drawn in lane:
            number, place = map(int, drawn.image.key.split("/"))
            assert drawn.index == starts[number] + place


def test_the_order_is_shuffled_and_no_epoch_is_like_another() -> None:
    stream = flat(*[100] * 20)
    lanes = [InterleavedShuffle(stream, 16, 7, epoch) for epoch in range(2)]
    orders = [[drawn.index for _, window in each.windows(3, 0) for drawn in window] for each in lanes]
    assert orders[0] != sorted(orders[0])
    assert set(orders[0]) != set(orders[1])


def test_the_windows_are_bounded_by_bytes_too() -> None:
    small = flat(100_000)
    assert InterleavedShuffle(small, 16, 0, 0).window == 256
    large = replace(small, parts=tuple(replace(part, bytes=100_000 * 2_000_000) for part in small.parts))
    assert InterleavedShuffle(large, 16, 0, 0).window == 8


@pytest.mark.parametrize(("batch_size", "lanes"), [(1, 1), (8, 8), (64, 16), (100, 10), (17, 1), (34, 2), (48, 16)])
def test_lanes_divide_the_batch(batch_size: int, lanes: int) -> None:
    assert lanes_of(batch_size) == lanes


def test_a_set_smaller_than_a_batch_is_one_batch_and_processes_need_lanes(manifest: Manifest) -> None:
    assert [len(labels) for _, labels in batches(manifest.stream, batch_size=64)] == [42]
    with pytest.raises(CorollaError, match="shared by 3 processes at most, and there are 4"):
        batches(manifest.stream, batch_size=3, processes=4)


def test_the_training_s_own_randomness_is_left_alone(manifest: Manifest) -> None:
    before = torch.get_rng_state()
    for workers in (0, 1):
        batches(manifest.stream, workers=workers)
    assert torch.equal(before, torch.get_rng_state())


# A stream with damage in it.


@pytest.fixture
def damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes 40 images in four tars, those of the numbers given broken, and reads them."""

    def make(broken: set[int]) -> ImageStream:
        for shard in range(4):
            with tarfile.open(tmp_path / f"train-{shard}.tar", "w") as tar:
                for n in range(shard * 10, shard * 10 + 10):
                    buffer = io.BytesIO()
                    Image.fromarray(np.full((16, 16, 3), 6 * n, np.uint8)).save(buffer, "PNG")
                    content = b"broken" if n in broken else buffer.getvalue()
                    for name, text in ((f"{n}.png", content), (f"{n}.cls", str(n % 2).encode())):
                        member = tarfile.TarInfo(name)
                        member.size = len(text)
                        tar.addfile(member, io.BytesIO(text))
        parts = tuple(
            Part(path, 0, 10, path.stat().st_size, path.stat().st_size, path.name)
            for path in sorted(tmp_path.glob("*.tar"))
        )
        words = {"0": 0, "1": 1}
        return ImageStream(str(tmp_path), 0, (0.7, 0.15, 0.15), ("even", "odd"), (20, 20), words, parts)

    return make


PLAIN = replace(RECIPE, auto_augment="none", random_erasing_prob=0.0)


def numbers(found: Batches) -> list[int]:
    """Which image each view shows, by its brightness; its label must be that image's."""
    shown = [int(view.float().mean()) // 6 for views, _ in found for view in views]
    assert [number % 2 for number in shown] == [int(label) for _, labels in found for label in labels]
    return shown


def test_a_damaged_image_is_replaced_by_another_with_its_label_wherever_one_starts(damage) -> None:
    broken = {3, 4, 17, 25, 39}
    told: list[str] = []
    feed = StreamingLoader(damage(broken), PLAIN, 8, 3, 0, note=told.append)
    whole = list(feed.batches(0, 16))
    shown = numbers(whole)
    assert not broken & set(shown)
    assert len(shown) == 40
    assert told == ["5 damaged images of the shards were each replaced by the one before"]
    for start in range(5):
        assert same(whole[start:], list(StreamingLoader(damage(broken), PLAIN, 8, 3, 0).batches(0, 16, start)))
    intact = numbers(list(StreamingLoader(damage(set()), PLAIN, 8, 3, 0).batches(0, 16)))
    assert sum(a != b for a, b in zip(shown, intact, strict=True)) == 5


def test_a_tar_that_breaks_off_is_as_many_damaged_images(damage) -> None:
    stream = damage(set())
    file = stream.parts[1].path
    content = bytearray(file.read_bytes())
    content[6 * 2048 :] = b"\xff" * (len(content) - 6 * 2048)
    file.write_bytes(content)
    told: list[str] = []
    shown = numbers(list(StreamingLoader(stream, PLAIN, 8, 3, 0, note=told.append).batches(0, 16)))
    assert told == ["4 damaged images of the shards were each replaced by the one before"]
    assert not {16, 17, 18, 19} & set(shown)


def test_only_if_nothing_can_be_read_it_ends(damage) -> None:
    stream = damage(set(range(1, 40)))
    assert set(numbers(list(StreamingLoader(stream, PLAIN, 1, 3, 0).batches(0, 16)))) == {0}
    with pytest.raises(CorollaError, match="is it damaged"):
        list(StreamingLoader(damage(set(range(40))), PLAIN, 8, 3, 0).batches(0, 16))


def test_shards_that_are_gone_or_changed_are_one_line(damage) -> None:
    stream = damage(set())
    stream.parts[2].path.write_bytes(b"short")
    with pytest.raises(CorollaError, match="has changed since"):
        StreamingLoader(stream, PLAIN, 8, 3, 0)
    stream.parts[2].path.unlink()
    with pytest.raises(CorollaError, match="bring it back"):
        StreamingLoader(stream, PLAIN, 8, 3, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_shards_that_go_away_meanwhile_are_one_line_too(damage, workers: int) -> None:
    stream = damage(set())
    feed = StreamingLoader(stream, PLAIN, 8, 3, workers)
    for part in stream.parts:
        part.path.unlink()
    with pytest.raises(CorollaError, match="bring it back") as caught:
        list(feed.batches(0, 16))
    assert "\n" not in str(caught.value)


def test_every_label_comes_with_its_image(manifest: Manifest) -> None:
    label_of = {example.sha256: example.label for example in manifest.examples}
    found = [p for n in range(len(manifest.stream.parts)) for p in manifest.stream.read(n)]
    assert Counter(label_of[hashlib.sha256(p.content).hexdigest()] for p in found) == manifest.counts("train")
    for image in found:
        assert label_of[hashlib.sha256(image.content).hexdigest()] == manifest.classes[image.label]
