"""Images decoded once for all validations of a training: the same pixels at every pass, or decoded again."""

from pathlib import Path

import numpy as np
import pytest

from corolla.data.decoding import ImageError
from corolla.data.sources import load_data
from corolla.preprocessing import Preprocessing
from corolla.training import validation as ready
from corolla.training.validation import ReadyImages

PREPARED = Preprocessing((16, 16))


@pytest.fixture
def paths(swatches: Path) -> list[Path]:
    manifest = load_data(swatches)
    return [manifest.locate(example) for example in manifest.examples]  # 60: two batches


def decodings(images: ReadyImages, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on."""
    seen: list[Path] = []
    read = ready.read_image
    monkeypatch.setattr(ready, "read_image", lambda path: seen.append(path) or read(path))
    return seen


def test_later_passes_read_nothing_and_give_the_same_pixels(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    images = ReadyImages(paths, PREPARED)
    first = np.concatenate(list(images))
    seen = decodings(images, monkeypatch)
    batches = list(images)
    assert seen == []
    assert [len(batch) for batch in batches] == [32, 28]
    np.testing.assert_array_equal(np.concatenate(batches), first)
    expected = [PREPARED.pixels(ready.read_image(path)) for path in paths]
    np.testing.assert_array_equal(first, np.stack(expected))


def test_a_pass_that_was_broken_off_counts_for_nothing(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    images = ReadyImages(paths, PREPARED)
    next(iter(images))
    seen = decodings(images, monkeypatch)
    assert len(np.concatenate(list(images))) == len(paths)
    assert sorted(seen) == sorted(paths)


@pytest.mark.parametrize("fault", ["no folder", "full disk"])
def test_without_room_every_pass_decodes(fault: str, paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "no folder":
        monkeypatch.setattr(ready, "cache_folder", lambda: paths[0])  # a file
    elif not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    else:
        monkeypatch.setattr(ready, "TemporaryFile", lambda **_: Path("/dev/full").open("r+b"))  # noqa: SIM115 - closed by its user
    images = ReadyImages(paths, PREPARED)
    passes = [np.concatenate(list(images)) for _ in range(2)]
    assert images.saved is None
    np.testing.assert_array_equal(*passes)


def test_nothing_is_left_in_the_cache(paths: list[Path]) -> None:
    folder = ready.cache_folder()
    before = set(folder.iterdir()) if folder.is_dir() else set()
    images = ReadyImages(paths, PREPARED)
    list(images)
    assert images.saved is not None
    assert set(folder.iterdir()) - before == set()


def test_no_images_are_no_batches_and_damaged_ones_are_named(tmp_path: Path) -> None:
    assert list(ReadyImages([], PREPARED)) == []
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(ImageError, match=r"cut\.jpg"):
        list(ReadyImages([tmp_path / "cut.jpg"], PREPARED))
