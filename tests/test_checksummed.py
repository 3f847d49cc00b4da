"""A seal: what was written is read, and no change to the file goes unnoticed."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from corolla.checksummed import DamagedError, load_sealed, save_sealed

WORDS = {"z": 'a "text" with \\ and ü', "a": '{"corolla.seal":"sha256:' + 64 * "0" + '"}', "key": ""}


def made() -> dict[str, torch.Tensor]:
    dice = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(7, 5, generator=dice),
        "half": torch.randn(3, generator=dice).bfloat16(),
        "step": torch.tensor(12.0),
        "empty": torch.zeros(0, 4),
        "größe": torch.arange(5),
        "mask": torch.tensor([True, False]),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "new" / "state.safetensors"
    save_sealed(made(), file, WORDS)
    return file


def test_what_was_saved_is_read(file: Path) -> None:
    tensors, words = load_sealed(file)
    assert words == WORDS
    assert tensors.keys() == made().keys()
    for name, tensor in made().items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_other_programs_read_it_as_any_safetensors_file(file: Path) -> None:
    assert torch.equal(load_file(file)["weight"], made()["weight"])
    with safe_open(file, framework="pt") as content:
        assert content.metadata()["corolla.seal"].startswith("sha256:")


def test_numpy_arrays_need_no_torch(tmp_path: Path) -> None:
    arrays = {"ranks": np.arange(4), "one": np.array(3.0, np.float32)}
    save_sealed(arrays, tmp_path / "a.safetensors", framework="np")
    again, words = load_sealed(tmp_path / "a.safetensors", "np")
    assert words == {}
    assert again["one"].shape == ()
    np.testing.assert_array_equal(again["ranks"], arrays["ranks"])


@pytest.mark.parametrize("unsealed", [False, True])
def test_every_flipped_bit_is_noticed(file: Path, unsealed: bool) -> None:
    whole = bytearray(file.read_bytes())
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            file.write_bytes(whole)
            with pytest.raises(DamagedError):
                load_sealed(file, unsealed=unsealed)
            whole[place] ^= 1 << bit


@pytest.mark.parametrize("unsealed", [False, True])
def test_every_file_cut_short_is_noticed(file: Path, unsealed: bool) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            load_sealed(file, unsealed=unsealed)


@settings(max_examples=100)
@given(data=st.data())
def test_bytes_written_over_the_file_are_noticed(file: Path, data: st.DataObject) -> None:
    whole = file.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.binary(min_size=1, max_size=4096))
    changed = whole[:start] + other + whole[start + len(other) :]
    file.write_bytes(changed)
    try:
        if changed != whole:
            with pytest.raises(DamagedError):
                load_sealed(file, unsealed=True)
    finally:
        file.write_bytes(whole)


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(DamagedError):
        load_sealed(tmp_path / "foreign", unsealed=True)


def test_a_file_that_never_had_a_seal_is_read_only_where_that_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "older.safetensors"
    save_file({"weight": torch.ones(2)}, file, metadata={"format": "pt"})
    tensors, words = load_sealed(file, unsealed=True)
    assert (tensors["weight"].tolist(), words) == ([1.0, 1.0], {"format": "pt"})
    with pytest.raises(DamagedError, match="no checksum"):
        load_sealed(file)


def test_a_place_that_cannot_be_written_or_read_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_sealed(tmp_path / "none.safetensors", unsealed=True)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        save_sealed(made(), tmp_path / "file" / "state.safetensors")


def test_the_systems_words_name_the_file(tmp_path: Path) -> None:
    resource: Any = pytest.importorskip("resource")
    file, before = tmp_path / "state.safetensors", resource.getrlimit(resource.RLIMIT_FSIZE)
    save_sealed(made(), file)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(OSError, match="too large") as caught:
            save_sealed({"weight": torch.zeros(9999)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(file)
    assert load_sealed(file)[0].keys() == made().keys()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_the_seal_costs_little_beside_the_file(tmp_path: Path) -> None:
    file, tensors = tmp_path / "large.safetensors", {"weight": torch.zeros(25_000_000)}
    save_sealed(tensors, file)

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    def plain() -> None:  # what cannot be done without: every byte read, hashed and loaded
        hashlib.sha256(file.read_bytes())
        load_file(file)

    pairs = [(seconds(lambda: load_sealed(file)), seconds(plain)) for _ in range(5)]
    assert min(sealed for sealed, _ in pairs) < 2 * min(other for _, other in pairs)
