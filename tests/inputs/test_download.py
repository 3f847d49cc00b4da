"""Files from addresses, against a real server on this machine."""

import hashlib
import http.server
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from corolla.cli.inputs import gather
from corolla.data.decoding import read_image
from corolla.inputs import download as module
from corolla.inputs.download import DownloadError, Watch, download, within
from corolla.progress import Progress


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "JPEG")
    return buffer.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/gone.jpg":
            self.send_error(404)
        elif self.path == "/huge.jpg":
            self.send_response(200)
            self.send_header("Content-Length", str(10**12))
            self.end_headers()
        elif self.path == "/endless.jpg":
            self.send_response(200)
            self.end_headers()
            self.pour(b"x" * 100_000, 0.0)
        elif self.path == "/trickle.jpg":
            self.send_response(200)
            self.end_headers()
            self.pour(b"x", 0.05)
        elif self.path == "/silent.jpg":
            time.sleep(2)
        elif self.path == "/cut.jpg":
            self.send_response(200)
            self.send_header("Content-Length", str(len(jpeg()) + 10))
            self.end_headers()
            self.wfile.write(jpeg())
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")  # the content decides, not what the server calls it
            self.end_headers()
            self.wfile.write(jpeg())

    def pour(self, piece: bytes, pause: float) -> None:
        try:
            for _ in range(1000):
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def why(address: str, folder: Path, watch: Watch | None = None, sha256: str = "") -> str:
    """The reason of a failed download, which leaves nothing behind."""
    with pytest.raises(DownloadError) as raised:
        download(address, folder / "file", sha256, watch)
    assert list(folder.glob("*file*")) == []
    return raised.value.reason


def test_an_image_arrives(server: str, tmp_path: Path) -> None:
    download(f"{server}/an image é.jpg?size=1", tmp_path / "file")
    assert read_image(tmp_path / "file").size == (40, 30)
    assert Server.asked[-1] == "/an%20image%20%C3%A9.jpg?size=1"
    download(f"{server}/to/{server}/other%20one.jpg", tmp_path / "file")
    assert Server.asked[-1] == "/other%20one.jpg"


def test_the_hash_or_its_beginning_is_checked(server: str, tmp_path: Path) -> None:
    expected = hashlib.sha256(jpeg()).hexdigest()
    for sha256 in (expected, expected[:8]):
        download(f"{server}/1.jpg", tmp_path / "file", sha256)
        assert (tmp_path / "file").read_bytes() == jpeg()
        (tmp_path / "file").unlink()
    asked = len(Server.asked)
    assert why(f"{server}/1.jpg", tmp_path, sha256="0" * 8) == "the file does not have the expected sha256"
    assert len(Server.asked) == asked + 1


def test_what_was_there_stays_if_the_download_fails(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    with pytest.raises(DownloadError):
        download(f"{server}/cut.jpg", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "before"


def test_progress_is_reported(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    download(f"{server}/1.jpg", tmp_path / "file", watch=lambda done, whole: seen.append((done, whole)))
    assert (seen[0], seen[-1][0]) == ((0, 0), len(jpeg()))  # this server does not say how much there is


def test_no_redirection_leads_to_local_files(server: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    reason = why(f"{server}/to/file://{tmp_path}/secret", tmp_path)
    assert "file" in reason
    assert not (tmp_path / "file").exists()
    assert why(f"file://{tmp_path}/secret", tmp_path) == "only http and https addresses are supported"


@pytest.mark.parametrize(
    ("path", "said"),
    [("gone.jpg", "404"), ("huge.jpg", "1,000,000 MB"), ("endless.jpg", "more than"), ("cut.jpg", "cut")],
)
def test_what_the_server_does_wrong(path: str, said: str, server: str, tmp_path: Path) -> None:
    assert said in why(f"{server}/{path}", tmp_path, within(2_000_000))


def test_a_slow_server_is_left(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "TIMEOUT", 0.2)
        assert "timed out" in why(f"{server}/silent.jpg", tmp_path)
    assert "not complete" in why(f"{server}/trickle.jpg", tmp_path, within(2_000_000, longest=0.3))


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://127.0.0.1:1/x.jpg",
        "http://127.0.0.1:xyz/",
        "http://[::/x",
        "http://ex ample/\n",
        "http://\udcff.com/",
        "http://" + "a" * 70 + ".é/",
    ],
)
def test_no_address_raises_anything_else(address: str, tmp_path: Path) -> None:
    assert why(address, tmp_path)


def test_several_keep_their_order(server: str, tmp_path: Path) -> None:
    words = [f"{server}/1.jpg", f"{server}/gone.jpg", "local.jpg", f"{server}/2.jpg"]
    items = gather(words, lambda: tmp_path, Progress())
    assert [item.name for item in items] == words
    assert ["404" in item.error for item in items] == [False, True, False, False]
    assert items[2].error == "no such file"
    assert [item.path is not None and item.path.exists() for item in items] == [True, False, False, True]
