"""The images: like photographs, as many as were asked for, and nothing kept of them."""

import os
from pathlib import Path

import pytest
from PIL import Image

from corolla.bench import images
from corolla.bench.images import BATCH, decode_rate, gather, how_many, view_rates, views
from corolla.errors import CorollaError
from corolla.painted import KINDS
from corolla.progress import Progress
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer


@pytest.fixture
def two_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SCENES", 2)


def test_images_come_in_whole_batches() -> None:
    assert {how_many(seconds) % BATCH for seconds in (0.01, 0.5, 3.0, 1000.0)} == {0}
    assert how_many(0.01) == BATCH
    assert how_many(1000.0) <= 10 * BATCH


@pytest.mark.usefixtures("two_scenes")
def test_painted_images_are_jpegs_like_photographs_and_no_two_files_alike(tmp_path: Path) -> None:
    manifest = gather(None, tmp_path, 5, Progress())
    files = [manifest.locate(example) for example in manifest.split("train")]
    assert len({file.read_bytes() for file in files}) == 5
    assert set(manifest.classes) <= set(KINDS)
    for file in files:
        with Image.open(file) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))


def test_of_the_users_images_those_that_can_be_read(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (20, 20)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "one" / "0.png").write_bytes(b"no image")
    manifest = gather(str(tmp_path), tmp_path / "unused", 100, Progress())
    assert len(manifest.split("train")) == 7
    assert manifest.classes == ("one", "two")
    assert len(gather(str(tmp_path), tmp_path / "unused", 4, Progress()).examples) in (3, 4)
    for file in tmp_path.rglob("*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(CorollaError, match="can be read"):
        gather(str(tmp_path), tmp_path / "unused", 100, Progress())


@pytest.mark.usefixtures("two_scenes")
def test_drafts_are_asked_for_and_every_image_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = gather(None, tmp_path, 3, Progress())
    paths = [manifest.locate(example) for example in manifest.examples]
    sizes: list[tuple[Path, tuple[int, int]]] = []
    read = images.read_image

    def noted(path: Path, *, draft: int | None = None) -> Image.Image:
        image = read(path, draft=draft)
        sizes.append((path, image.size))
        return image

    monkeypatch.setattr(images, "read_image", noted)
    assert decode_rate(paths, None, 1, 0.01) > 0
    assert {size for _, size in sizes} == {(640, 480)}
    assert {path for path, _ in sizes} == set(paths)
    sizes.clear()
    assert decode_rate(paths, 100, 2, 0.01) > 0
    assert {size for _, size in sizes} == {(160, 120)}


@pytest.mark.usefixtures("two_scenes")
def test_views_are_made_and_the_cache_stays_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, before = gather(None, tmp_path, BATCH, Progress()), os.environ["COROLLA_CACHE"]
    passes: list[tuple[str, int]] = []

    def noted(trainer: Trainer, epoch: int, size: int) -> int:
        passes.append((os.environ["COROLLA_CACHE"], views(trainer, epoch, size)))
        return passes[-1][1]

    monkeypatch.setattr(images, "views", noted)
    first, later = view_rates(manifest, 32, 16, Runtime("cpu", 0), 0.01)
    assert min(first, later) > 0
    assert [count for _, count in passes] == [BATCH, BATCH]
    assert os.environ["COROLLA_CACHE"] == before
    assert all(cache != before and not Path(cache).exists() for cache, _ in passes)
