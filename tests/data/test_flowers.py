import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from corolla.data import flowers
from corolla.data.flowers import CLASSES, available, fetch
from corolla.errors import CorollaError


def archive(*more: tuple[str, bytes]) -> bytes:
    """A small archive with the folders of the real one."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        contents = [(f"flower_photos/{name}/{n}.jpg", bytes([n]) * 5000) for name in CLASSES for n in range(3)]
        for name, content in (*contents, ("flower_photos/LICENSE.txt", b"thanks"), *more):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


CONTENT = archive()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` with ranges, as many bytes a request as `cuts` says."""

    content = CONTENT
    knows_ranges = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/flower_photos.tgz"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.knows_ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def is_whole(folder: Path) -> bool:
    return sorted(p.name for p in folder.iterdir()) == sorted([*CLASSES, "LICENSE.txt"]) and all(
        (folder / name / f"{n}.jpg").read_bytes() == bytes([n]) * 5000 for name in CLASSES for n in range(3)
    )


def leftovers(cache: Path) -> list[str]:
    return [p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file() and "flowers-" not in str(p)]


def test_downloads_once(server: Server, own_cache: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = fetch(lambda *state: seen.append(state), server.url, SHA256)
    assert is_whole(folder)
    assert folder.is_relative_to(own_cache)
    assert ("downloading", len(CONTENT), len(CONTENT)) in seen
    assert seen[-1][0] == "unpacking"
    assert leftovers(own_cache) == []
    assert fetch(None, server.url, SHA256) == folder
    assert server.asked == [None]


def test_goes_on_where_the_connection_was_cut(server: Server) -> None:
    server.cuts = [100, 50]
    assert is_whole(fetch(None, server.url, SHA256))
    assert server.asked == [None, "bytes=100-", "bytes=150-"]


def test_goes_on_in_the_next_run(server: Server, own_cache: Path) -> None:
    server.cuts = [100, 10, 10, 10]
    with pytest.raises(CorollaError, match="connection was cut; try again to continue"):
        fetch(None, server.url, SHA256)
    assert len(leftovers(own_cache)) == 1
    server.asked.clear()
    assert is_whole(fetch(None, server.url, SHA256))
    assert server.asked == ["bytes=130-"]
    assert leftovers(own_cache) == []


def test_a_server_without_ranges_begins_again(server: Server) -> None:
    server.cuts, server.knows_ranges = [100], False
    assert is_whole(fetch(None, server.url, SHA256))
    assert server.asked == [None, "bytes=100-"]


def test_a_wrong_start_is_thrown_away(server: Server, own_cache: Path) -> None:
    part = own_cache / "downloads" / f"flower_photos-{SHA256[:12]}.tgz.part"
    for wrong in (b"x" * 200, b"x" * (len(CONTENT) + 5)):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(wrong)
        folder = fetch(None, server.url, SHA256)
        assert is_whole(folder)
        folder.parent.rename(own_cache / f"flowers-done-{len(wrong)}")


def test_a_whole_download_that_was_not_unpacked_is_not_fetched_again(server: Server, own_cache: Path) -> None:
    part = own_cache / "downloads" / f"flower_photos-{SHA256[:12]}.tgz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert is_whole(fetch(None, server.url, SHA256))
    assert server.asked == []


def test_another_content_is_refused_and_not_kept(server: Server, own_cache: Path) -> None:
    server.content = archive(("flower_photos/evil.txt", b"evil"))
    with pytest.raises(CorollaError, match="expected sha256"):
        fetch(None, server.url, SHA256)
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_the_server_refuses(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(CorollaError, match=rf"server answers {status} .*COROLLA_DATA.*'painted'") as caught:
        fetch(None, server.url, SHA256)
    assert "\n" not in str(caught.value)


def test_no_network(server: Server) -> None:
    url = server.url
    server.server_close()  # nobody listens there any more
    with pytest.raises(CorollaError, match=r"refused.*COROLLA_DATA.*'painted' needs no network") as caught:
        fetch(None, url, SHA256)
    assert "\n" not in str(caught.value)


def test_a_cache_folder_that_cannot_be_made(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "file"))
    with pytest.raises(CorollaError, match="cannot store the flowers"):
        fetch(None, server.url, SHA256)


def test_hostile_archives_are_refused(server: Server, own_cache: Path) -> None:
    server.content = archive(("../../evil.txt", b"evil"))
    with pytest.raises(CorollaError, match="not safe"):
        fetch(None, server.url, hashlib.sha256(server.content).hexdigest())
    assert not list(own_cache.parent.rglob("evil.txt"))


def lay(folder: Path) -> Path:
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / name / "1.png")
    return folder


def test_the_environment_wins_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() is None
    photos = lay(tmp_path / "my data" / "flower_photos")
    for named in (photos, photos.parent):
        monkeypatch.setenv("COROLLA_DATA", str(named))
        assert available() == photos
        assert fetch(None, "http://127.0.0.1:9/nobody") == photos


def test_an_environment_that_names_the_wrong_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_DATA", str(tmp_path))
    assert available() is None
    with pytest.raises(CorollaError, match=r"COROLLA_DATA names .* no flower_photos"):
        fetch(None, "http://127.0.0.1:9/nobody")


def test_the_cache_is_found_without_network(own_cache: Path) -> None:
    photos = lay(own_cache / f"flowers-{flowers.SHA256[:12]}" / "flower_photos")
    assert available() == photos == fetch(None, "http://127.0.0.1:9/nobody")


def test_the_real_photographs(flower_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COROLLA_DATA", str(flower_photos))
    assert available() == flower_photos
