"""safetensors files that notice when a bit of them has changed.

The seal stands in the file's own metadata: the sha256 of the whole file as it lies on the disk, with the seal's digits
as zeros. So it covers names, types, shapes, metadata and every byte of every tensor, in whatever order safetensors
laid them out, and any other program reads the file as before.
"""

import hashlib
import re
from collections.abc import Mapping
from importlib import import_module
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from corolla.atomic import write_with
from corolla.errors import system_error

KEY, KIND = "corolla.seal", "sha256:"
SEAL = re.compile(rb'"corolla\.seal":"sha256:([0-9a-f]{64})"')  # inside a JSON text its quotes would be escaped
ZEROS = b"0" * 64
LONGEST_HEADER = 100_000_000  # bytes, which is safetensors' own limit
BLOCK = 2**20

Framework = Literal["pt", "np"]  # whose tensors: torch's or numpy's


class DamagedError(ValueError):
    """A file is not as it was written; the text is the reason, for the caller to put into its own words."""


def save_sealed(
    tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None, framework: Framework = "pt"
) -> None:
    """Write contiguous tensors and their metadata to `path` with a seal, whole or not at all."""
    library = import_module("safetensors.torch" if framework == "pt" else "safetensors.numpy")
    words = {**(metadata or {}), KEY: KIND + ZEROS.decode()}

    def write(temporary: Path) -> None:
        try:
            library.save_file(dict(tensors), temporary, metadata=words)
        except SafetensorError as error:
            raise system_error(error, path) or error from None
        with temporary.open("rb+") as file:
            found = SEAL.search(read_header(file))
            assert found
            seal = digest(file, found.start(1))
            file.seek(found.start(1))
            file.write(seal)

    write_with(path, write)


def load_sealed(
    path: Path, framework: Framework = "pt", *, unsealed: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors by name, and the metadata, of a file that is as it was written.

    `unsealed` accepts a file that never had a seal too. Raises `DamagedError` if the content is not what the seal says,
    or if there is none, and OSError if the file cannot be read.
    """
    check(path, unsealed=unsealed)
    try:
        with safe_open(path, framework=framework) as content:
            words: dict[str, str] = content.metadata() or {}
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, TypeError) as error:  # TypeError: a type of numbers that numpy does not have
        raise system_error(error, path) or DamagedError(f"it is no whole safetensors file ({error})") from None
    return tensors, {key: value for key, value in words.items() if key != KEY}


def check(path: Path, *, unsealed: bool) -> None:
    """`DamagedError` unless the seal of the file holds; without one, unless that is accepted."""
    with path.open("rb") as file:
        header = read_header(file)
        found = SEAL.search(header)
        if found:
            if digest(file, found.start(1)) != found[1]:
                raise DamagedError("its content is not what its checksum says: it was damaged after it was written")
        elif KEY.encode() in header or KIND.encode() in header:  # a flipped bit spoils one of the two at most
            raise DamagedError("its checksum is damaged")
        elif not unsealed:
            raise DamagedError("it has no checksum, so it was cut short, damaged or not written by corolla")


def read_header(file: BufferedIOBase) -> bytes:
    """The length and the JSON text that a safetensors file begins with, or as much of them as there is."""
    file.seek(0)
    length = file.read(8)
    return length + file.read(min(int.from_bytes(length, "little"), LONGEST_HEADER))


def digest(file: BufferedIOBase, seal_at: int) -> bytes:
    """The sha256 of the whole file in hexadecimal digits, the 64 bytes from `seal_at` on taken as zeros."""
    whole, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    file.seek(0)
    whole.update(file.read(seal_at))
    file.seek(seal_at + len(ZEROS))
    whole.update(ZEROS)
    while read := file.readinto(buffer):
        whole.update(buffer[:read])
    return whole.hexdigest().encode()
