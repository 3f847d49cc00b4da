"""The bytes of a safetensors file follow from what is in it, and the library still reads it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from corolla.tensors import put_in_order, read_header, write_tensors

TENSORS = {"ä": torch.arange(3, dtype=torch.int8), "b": torch.ones(2, 2), "a": torch.zeros(5).double()}
WORDS = {f"key {number}": f"value {number}" for number in range(20)} | {
    "ü": 'a "text"\x00\x1f\x7f\n\\\u2028 ü 🌷',
    "": "",
}


def test_equal_tensors_and_words_are_equal_bytes(tmp_path: Path) -> None:
    """The library begins anew with every call, so one process is as good as twenty."""
    written = set()
    for number in range(20):
        turn = 1 if number % 2 else -1
        file = tmp_path / f"{number}.safetensors"
        write_tensors(dict(list(TENSORS.items())[::turn]), file, dict(list(WORDS.items())[::turn]))
        written.add(file.read_bytes())
    assert len(written) == 1


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "some.safetensors"
    write_tensors(TENSORS, file, WORDS)
    with safe_open(file, framework="pt") as content:
        assert content.metadata() == WORDS
        assert {name: content.get_tensor(name).tolist() for name in content.keys()} == {  # noqa: SIM118
            name: tensor.tolist() for name, tensor in TENSORS.items()
        }
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_nothing_moves_but_the_words(tmp_path: Path) -> None:
    """So no tensor is copied for it, and all begin where the format wants them to."""
    file = tmp_path / "some.safetensors"
    save_file(TENSORS, file, metadata=WORDS)
    before = file.read_bytes()
    put_in_order(file)
    after = file.read_bytes()
    with file.open("rb") as content:
        header = read_header(content)
    assert len(header) % 8 == 0
    assert after[len(header) :] == before[len(header) :]
    said = json.loads(header[8:])
    assert list(said.pop("__metadata__")) == sorted(WORDS)
    assert list(said.items()) == [entry for entry in json.loads(before[8 : len(header)]).items() if entry[0] in said]


@pytest.mark.parametrize("arrays", [{}, {"one": np.array(3.0, np.float32)}])
def test_numpy_no_words_and_nothing_at_all(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    write_tensors(arrays, tmp_path / "a.safetensors", {}, "np")
    with safe_open(tmp_path / "a.safetensors", framework="np") as content:
        assert not content.metadata()
        assert {name: content.get_tensor(name) for name in content.keys()} == arrays  # noqa: SIM118


def test_a_place_that_cannot_be_written_is_the_systems_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_tensors(TENSORS, tmp_path / "file" / "some.safetensors", {})
