"""Images and tars as other tools write them."""

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def image() -> Callable[..., bytes]:
    """A small image of random blobs as the bytes of its file, a different one for every seed."""

    def make(seed: int, kind: str = "JPEG") -> bytes:
        buffer = io.BytesIO()
        noise = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((20, 16)).save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def pack() -> Callable[..., Path]:
    """Writes a tar of members (name, content)."""

    def make(path: Path, members: Iterable[tuple[str, bytes]], format: int = tarfile.GNU_FORMAT) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w", format=format) as tar:
            for name, content in members:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return path

    return make
