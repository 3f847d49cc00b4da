"""A small exported file, and images in all kinds of storage."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pyarrow.parquet as pq
import pytest
from PIL import Image

from corolla.batch_inference.run import Told, predict
from corolla.export.onnx import with_card
from shapes import noises

CHUNK = 32


@pytest.fixture(scope="session")
def model(graph: onnx.ModelProto, small: object, card: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "small.onnx"
    file.write_bytes(with_card(graph, card(small)))
    return file


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noises(1, number)[0]).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(name="png", scope="session")
def png_fixture() -> Callable[[int], bytes]:
    return png


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 images in two folders, five chunks; two of them are none. Do not write into it."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(150):
        file = folder / f"{number % 2}" / f"{number:03} é.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png(number))
    (folder / "0" / "004 é.png").write_text("a letter")
    (folder / "1" / "005 é.png").write_bytes(png(5)[:80])
    return folder


def tar(file: Path | io.BytesIO, members: dict[str, bytes]) -> None:
    with tarfile.open(**({"name": file} if isinstance(file, Path) else {"fileobj": file}), mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture(name="tar", scope="session")
def tar_fixture() -> Callable[..., None]:
    return tar


@pytest.fixture
def rows(model: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The rows that bulk prediction makes of some sources."""

    def run(*words: object, out: Path | None = None, **options: Any) -> list[dict[str, Any]]:
        file = out or tmp_path / "rows.parquet"
        predict(model, [str(word) for word in words], file, **{"chunk": CHUNK} | options)
        return read(file)

    return run


def read(file: Path) -> list[dict[str, Any]]:
    return pq.read_table(file).to_pylist()  # type: ignore[no-any-return]


SCRIPT = """
import sys
from corolla.batch_inference.run import predict
from corolla.progress import Progress
import onnxruntime, pyarrow.parquet
class Tell(Progress):
    def stage(self, title, *others):
        print(title, flush=True)
model, out, *words = sys.argv[1:]
print("ready", flush=True)
predict(model, words, out, chunk=32, progress=Tell())
"""


def start(model: Path, out: Path, *words: object) -> subprocess.Popen[bytes]:
    """The same in a real process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(model), str(out), *(str(word) for word in words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(name="start")
def start_fixture() -> Callable[..., subprocess.Popen[bytes]]:
    return start


@pytest.fixture
def told() -> Told:
    return Told()
