"""Memory stays flat: a table takes so many bytes a row, a stream takes the same however long it is."""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import big_sets
from corolla.data import checking
from corolla.data.sources import list_source, load_data
from corolla.data.stream import ImageStream
from corolla.training import interleaving as lanes
from corolla.training.recipe import Recipe
from corolla.training.streaming_loader import StreamingLoader


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python and numpy hold at most while `work` goes on, beyond what they held before.

    The least of three: Python's table of interned names grows by doubling, when what ran before decides.
    """
    found = []
    for _ in range(3):
        tracemalloc.start()
        try:
            work()
            found.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(found)


def test_a_row_of_a_table_takes_few_bytes(tmp_path: Path) -> None:
    list_source(big_sets.write_table(tmp_path / "few", 10))  # what is loaded and kept once
    table = big_sets.write_table(tmp_path, 10_000)
    assert peak(lambda: list_source(table)) / 10_000 < 400


def test_a_checked_image_takes_few_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))  # each has a buffer of its own
    table = big_sets.write_files(tmp_path, 1500)
    small = big_sets.write_files(tmp_path / "small", 500)
    assert (peak(lambda: load_data(table)) - peak(lambda: load_data(small))) / 1000 < 1500


def test_an_epoch_takes_as_much_memory_of_few_images_as_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUFFER", 64)
    monkeypatch.setattr(big_sets, "SHARD", 5000)
    monkeypatch.setattr(big_sets, "SIDE", 24)

    def epoch(stream: ImageStream) -> None:
        feed = StreamingLoader(
            stream, Recipe("scratch", "vit_pico_patch8_16", 16, 1, auto_augment="none"), 64, 0, workers=0
        )
        assert sum(len(labels) for _, labels in feed.batches(0, 16)) == len(stream) // 64 * 64

    counts = (100, 150, 600)
    first, few, many = (load_data(big_sets.write_images(tmp_path / f"{count}", count)).stream for count in counts)
    epoch(first)  # what is loaded and kept once
    assert peak(lambda: epoch(many)) < 1.1 * peak(lambda: epoch(few))
