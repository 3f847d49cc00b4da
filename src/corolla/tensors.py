"""The one place where safetensors files are written: equal tensors and words make equal bytes, in any process.

The library puts tensors in an order of its own, by type and name, but keeps the words of the metadata in a hash map
that begins anew, in another order, with every call. They are sorted afterwards, inside the header that is there: the
same text in another order takes no more room, and no tensor is read or moved for it.
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

LENGTH = 8  # bytes that say how long the header is
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

    `finish` may change the written file before it takes its place. Raises OSError where the system refuses.
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
    """Sort the words in the header of a safetensors file."""
    with path.open("rb+") as file:
        written = read_header(file)[LENGTH:]
        said = json.loads(written)
        if METADATA not in said:
            return
        said[METADATA] = dict(sorted(said[METADATA].items()))
        header = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(header) <= len(written)
        file.seek(LENGTH)
        file.write(header.ljust(len(written)))  # with spaces, as the format wants it


def read_header(file: BufferedIOBase) -> bytes:
    """The length and the JSON text that a safetensors file begins with, or as much of them as there is."""
    file.seek(0)
    length = file.read(LENGTH)
    return length + file.read(min(int.from_bytes(length, "little"), LONGEST_HEADER))
