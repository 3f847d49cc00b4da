"""The one place where safetensors files are written: equal tensors and metadata make equal bytes, in any process.

The library sorts tensors by type and name, but writes the metadata in the order of a hash map, which differs from call
to call. We sort the metadata afterwards, inside the existing header: the same text in another order has the same
length, and no tensor is read or moved.
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from corolla.atomic import write_with
from corolla.errors import system_error

Framework = Literal["pt", "np"]  # whose tensors: torch's or numpy's

LENGTH = 8  # bytes of the header's length
LONGEST_HEADER = 100_000_000  # bytes, which is safetensors' own limit
METADATA = "__metadata__"


def write_tensors(
    tensors: Mapping[str, Any],
    path: Path,
    metadata: Mapping[str, str],
    framework: Framework = "pt",
    finish: Callable[[Path], object] = lambda file: None,
) -> None:
    """Write contiguous tensors and their metadata to `path`, whole or not at all.

    `finish` may change the written file before it is renamed to `path`. Raises OSError if the system refuses.
    """
    library = import_module("safetensors.torch" if framework == "pt" else "safetensors.numpy")

    def write(temporary: Path) -> None:
        try:
            library.save_file(dict(tensors), temporary, metadata=dict(metadata) or None)
        except SafetensorError as error:
            raise system_error(error, path) or error from None
        put_in_order(temporary)
        finish(temporary)

    write_with(path, write)


def put_in_order(path: Path) -> None:
    """Sort the metadata in the header of a safetensors file."""
    with path.open("rb+") as file:
        written = read_header(file)[LENGTH:]
        said = json.loads(written)
        if METADATA not in said:
            return
        said[METADATA] = dict(sorted(said[METADATA].items()))
        header = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(header) <= len(written)
        file.seek(LENGTH)
        file.write(header.ljust(len(written)))  # padded with spaces, as the format requires


def read_header(file: BufferedIOBase) -> bytes:
    """The length and the JSON text at the start of a safetensors file, or as much of them as there is."""
    file.seek(0)
    length = file.read(LENGTH)
    return length + file.read(min(int.from_bytes(length, "little"), LONGEST_HEADER))
