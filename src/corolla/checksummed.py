"""safetensors files with a checksum that detects any changed bit.

The checksum is in the file's own metadata: the sha256 of the whole file on the disk, with the checksum's digits
as zeros. It covers names, types, shapes, metadata and every byte of every tensor, in any order, and other programs
read the file as before.
"""

import hashlib
import re
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from corolla.errors import system_error
from corolla.tensors import Framework, read_header, write_tensors

KEY, KIND = "corolla.seal", "sha256:"
SEAL = re.compile(rb'"corolla\.seal":"sha256:([0-9a-f]{64})"')  # inside a JSON string the quotes would be escaped
ZEROS = b"0" * 64
BLOCK = 2**20


class DamagedError(ValueError):
    """A file is not as it was written; the text is the reason, for the caller's own message."""


def save_sealed(
    tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None, framework: Framework = "pt"
) -> None:
    """Write contiguous tensors and their metadata to `path` with a checksum, whole or not at all."""
    write_tensors(tensors, path, {**(metadata or {}), KEY: KIND + ZEROS.decode()}, framework, finish=seal)


def seal(path: Path) -> None:
    """Replace the zeros of the checksum in a safetensors file with its digits."""
    with path.open("rb+") as file:
        found = SEAL.search(read_header(file))
        assert found
        digits = digest(file, found.start(1))
        file.seek(found.start(1))
        file.write(digits)


def load_sealed(
    path: Path, framework: Framework = "pt", *, unsealed: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors by name and the metadata of a file whose checksum is right.

    `unsealed` also accepts a file that never had a checksum. Raises `DamagedError` if the checksum is wrong or missing,
    and OSError if the file cannot be read.
    """
    check(path, unsealed=unsealed)
    try:
        with safe_open(path, framework=framework) as content:
            words: dict[str, str] = content.metadata() or {}
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, TypeError) as error:  # TypeError: a dtype that numpy does not have
        raise system_error(error, path) or DamagedError(f"it is not a complete safetensors file ({error})") from None
    return tensors, {key: value for key, value in words.items() if key != KEY}


def check(path: Path, *, unsealed: bool) -> None:
    """`DamagedError` if the checksum of the file is wrong, or missing while `unsealed` is False."""
    with path.open("rb") as file:
        header = read_header(file)
        found = SEAL.search(header)
        if found:
            if digest(file, found.start(1)) != found[1]:
                raise DamagedError("its content does not match its checksum: it was damaged after it was written")
        elif KEY.encode() in header or KIND.encode() in header:  # one flipped bit spoils at most one of the two
            raise DamagedError("its checksum is damaged")
        elif not unsealed:
            raise DamagedError("it has no checksum, so it was cut short, damaged or not written by corolla")


def digest(file: BufferedIOBase, seal_at: int) -> bytes:
    """The sha256 of the whole file in hexadecimal digits, with the 64 bytes from `seal_at` on as zeros."""
    whole, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    file.seek(0)
    whole.update(file.read(seal_at))
    file.seek(seal_at + len(ZEROS))
    whole.update(ZEROS)
    while read := file.readinto(buffer):
        whole.update(buffer[:read])
    return whole.hexdigest().encode()
