import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.cache import cache_folder, sha256_of
from corolla.data import decoded_cache as pixels
from corolla.data.decoded_cache import DecodedImageCache, PixelStream, cache_decoded, resize_for_cache
from corolla.data.decoding import ImageError
from corolla.lock import locked


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    random, made = np.random.default_rng(0), []
    for number, (width, height) in enumerate([(90, 60), (40, 120), (20, 20), (64, 64)]):
        made.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(made[-1])
    return made


def kept(paths: list[Path], side: int = 32) -> pixels.Pixels:
    return cache_decoded(paths, [sha256_of(path) for path in paths], side)


def test_what_is_kept_is_what_would_be_decoded(paths: list[Path]) -> None:
    store = kept(paths)
    assert isinstance(store, DecodedImageCache)
    assert len(store) == 4
    assert [store[index].shape for index in range(4)] == [(32, 48, 3), (64, 32, 3), (20, 20, 3), (32, 32, 3)]
    for index, path in enumerate(paths):
        assert np.array_equal(store[index], resize_for_cache(path, 32))


def test_images_are_decoded_once(paths: list[Path]) -> None:
    first = kept(paths)
    expected = [first[index].copy() for index in range(4)]
    hashes = [sha256_of(path) for path in paths]
    for path in paths:
        path.unlink()
    again = cache_decoded(paths, hashes, 32)
    assert all(np.array_equal(again[index], expected[index]) for index in range(4))


def test_another_size_content_or_order_is_another_store(paths: list[Path]) -> None:
    stores = [kept(paths), kept(paths, 16), kept(paths[::-1]), kept(paths[:3])]
    assert len({store.folder for store in stores if isinstance(store, DecodedImageCache)}) == 4


def test_a_store_travels_to_another_process_as_a_path(paths: list[Path]) -> None:
    store = kept(paths)
    assert store[1].size  # mapped already
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)[1], store[1])  # noqa: S301


def test_writing_to_an_image_does_not_reach_the_disk(paths: list[Path]) -> None:
    kept(paths)[0][:] = 0
    assert kept(paths)[0].any()


@pytest.mark.parametrize("damage", ["pixels", "index.safetensors"])
def test_a_damaged_store_is_made_again(paths: list[Path], damage: str) -> None:
    store = kept(paths)
    assert isinstance(store, DecodedImageCache)
    file = store.folder / damage
    file.write_bytes(file.read_bytes()[:-5])
    again = kept(paths)
    assert isinstance(again, DecodedImageCache)
    assert np.array_equal(again[3], resize_for_cache(paths[3], 32))


@pytest.mark.parametrize("damage", ["pixels", "index.safetensors"])
def test_a_flipped_bit_is_told_and_decoded_again(paths: list[Path], damage: str, monkeypatch) -> None:
    monkeypatch.setattr(pixels, "TOGETHER", 3)  # two checksums for the four images
    monkeypatch.setattr(pixels, "READ", 1000)
    store = kept(paths)
    assert isinstance(store, DecodedImageCache)
    whole = bytearray((store.folder / damage).read_bytes())
    for place in np.random.default_rng(0).integers(0, len(whole), 20):
        flipped = whole.copy()
        flipped[place] ^= 1 << int(place) % 8
        (store.folder / damage).write_bytes(flipped)
        notes: list[str] = []
        again = cache_decoded(paths, [sha256_of(path) for path in paths], 32, note=notes.append)
        assert len(notes) == 1
        assert isinstance(again, DecodedImageCache)
        assert (again.folder / damage).read_bytes() == whole
    cache_decoded(paths, [sha256_of(path) for path in paths], 32, note=notes.append)
    assert len(notes) == 1


def test_a_store_that_is_deleted_while_it_is_used_goes_on(paths: list[Path]) -> None:
    store = kept(paths)
    assert isinstance(store, DecodedImageCache)
    if os.name != "nt":  # which does not delete what is open
        shutil.rmtree(store.folder)
    assert np.array_equal(store[3], resize_for_cache(paths[3], 32))


def test_an_image_that_changes_after_it_was_looked_at_is_not_kept_under_the_old_hash(paths: list[Path]) -> None:
    hashes = [sha256_of(path) for path in paths]
    paths[1].write_bytes(paths[3].read_bytes())
    with pytest.raises(ImageError, match=r"1\.png: it has changed"):
        cache_decoded(paths, hashes, 32)
    assert list((cache_folder() / "pixels").iterdir()) == []


def test_a_damaged_image_is_named_and_leaves_nothing(paths: list[Path]) -> None:
    paths[2].write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"2\.png"):
        kept(paths)
    assert list((cache_folder() / "pixels").iterdir()) == []


def test_without_room_or_hashes_images_are_decoded_each_time(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(cache_decoded(paths, ["", "a", "b", "c"], 32), PixelStream)
    monkeypatch.setattr(pixels, "LIMIT", 100)
    stream = kept(paths)
    assert isinstance(stream, PixelStream)
    assert np.array_equal(stream[0], resize_for_cache(paths[0], 32))


def test_a_cache_that_cannot_be_written_costs_only_time(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "file"))
    assert isinstance(kept(paths), PixelStream)


def test_the_longest_unused_stores_go_first(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    old, used, newest = (kept(paths, side) for side in (30, 31, 32))
    assert isinstance(old, DecodedImageCache)
    assert isinstance(used, DecodedImageCache)
    assert isinstance(newest, DecodedImageCache)
    left_over = newest.folder.parent / ".left-over"
    left_over.mkdir()
    now = time.time()
    os.utime(old.folder, (now - 1000, now - 1000))
    os.utime(used.folder, (now - 2000, now - 2000))
    os.utime(left_over, (now - 90_000, now - 90_000))
    unfinished = newest.folder.parent / ".unfinished"
    with locked(unfinished, "filling"):
        (unfinished / "pixels").touch()
        os.utime(unfinished, (now - 90_000, now - 90_000))  # or the clock was set two days on
        kept(paths, 34)
        assert unfinished.is_dir()
    os.utime(unfinished, (now - 90_000, now - 90_000))
    shutil.rmtree(kept(paths, 34).folder)
    left_over.mkdir(exist_ok=True)
    os.utime(left_over, (now - 90_000, now - 90_000))
    kept(paths, 31)  # is used again
    size = sum(file.stat().st_size for file in newest.folder.iterdir())
    monkeypatch.setattr(pixels, "LIMIT", 3.5 * size)
    latest = kept(paths, 33)
    assert isinstance(latest, DecodedImageCache)
    assert {folder.name for folder in latest.folder.parent.iterdir()} == {
        store.folder.name for store in (used, newest, latest)
    }


ASK = """
import sys
from pathlib import Path
from corolla.cache import sha256_of
from corolla.data.decoded_cache import cache_decoded
paths = [Path(path) for path in sys.argv[1:]]
print(cache_decoded(paths, [sha256_of(path) for path in paths], 32)[0].sum())
"""


def test_two_processes_may_make_the_same_store(paths: list[Path]) -> None:
    command = [sys.executable, "-c", ASK, *map(str, paths)]
    asked = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [int(process.communicate(timeout=300)[0]) for process in asked]
    assert answers == [int(resize_for_cache(paths[0], 32).sum())] * 2
    assert len(list((cache_folder() / "pixels").iterdir())) == 1
