"""Who may ask, under which name, how much and how slowly: told before a request is answered, or while it arrives."""

import io
import json
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from corolla.server.guards import names_for
from corolla.server.limits import Limits
from corolla.server.model import Served

TOKEN = "a-token-of-ours"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
LIMITS = Limits(body=200_000, images=3, pixels=100_000)
FORM = {"Content-Type": "multipart/form-data; boundary=x"} | ALLOWED


@pytest.fixture(scope="module")
def strict(flowers: Served, serving: Any) -> Iterator[Any]:
    """A server that takes little, from whoever has the token."""
    with serving(flowers, LIMITS, token=TOKEN, hosts=names_for("127.0.0.1", ["tulip.example"])) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(flowers: Served, serving: Any) -> Iterator[Any]:
    """A server that does not wait long for what it is sent: no test may use it whose requests should arrive."""
    with serving(flowers, replace(LIMITS, upload=1.0), token=TOKEN) as server:
        yield server


def raw(server: Any, head: str, *parts: bytes, pause: float = 0.0) -> tuple[int, dict[str, Any]]:
    """Send what no client library would; the status and the JSON that come back."""
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(f"{head}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        for part in parts:
            time.sleep(pause)
            line.sendall(part)
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    status, _, body = answer.partition(b"\r\n\r\n")
    found = body[body.index(b"{") : body.rindex(b"}") + 1]  # it may come in chunks
    return int(status.split()[1]), json.loads(found)


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG whose header says so, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Basic eA=="}]
)
@pytest.mark.parametrize("path", ["/v1/model", "/metrics", "/report", "/v1/nothing"])
def test_without_the_token_there_is_no_answer(strict: Any, path: str, headers: dict[str, str]) -> None:
    answer = strict.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "error" in answer.json()


def test_with_the_token_there_is(strict: Any, painted: dict[str, bytes]) -> None:
    assert strict.get("/v1/model", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert strict.get("/metrics", headers=ALLOWED).status_code == 200
    with strict.client(headers=ALLOWED) as client:
        answer = client.post("/v1/predict", files={"files": painted["daisy"]})
    assert answer.json()["predictions"][0]["label"] == "daisy"


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/readyz", "/openapi.json"])
def test_what_tells_nothing_needs_no_token(strict: Any, path: str) -> None:
    assert strict.get(path).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("tulip.example:80", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:localhost", 421),
        ("localhost@evil.example", 421),
        ("", 421),
    ],
)
def test_it_answers_only_under_its_names(strict: Any, host: str, status: int) -> None:
    """A stranger's page whose name leads to 127.0.0.1 would otherwise read the answers."""
    assert strict.get("/v1/model", headers=ALLOWED | {"Host": host}).status_code == status


def test_names_follow_the_address_it_listens_on() -> None:
    assert names_for("127.0.0.1", []) == ["localhost", "127.0.0.1", "[::1]", "127.0.0.1"]
    assert "[::1]" in (names_for("::1", []) or [])
    assert names_for("0.0.0.0", []) is None
    assert "name.example" in (names_for("0.0.0.0", ["name.example"]) or [])


def test_a_body_too_large_is_refused_by_its_head(strict: Any) -> None:
    with strict.client(headers=FORM) as client:
        answer = client.post("/v1/predict", content=bytes(LIMITS.body + 1))
    assert answer.status_code == 413
    assert "0.2 MB" in answer.json()["error"]


def test_a_body_too_large_is_refused_where_its_size_is_not_said(strict: Any) -> None:
    """And its sender hears so, though there is ten times more to come."""

    def stream() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield bytes(LIMITS.body // 4)

    with strict.client(headers=FORM) as client:
        answer = client.post("/v1/predict", content=stream())
        assert answer.status_code == 413
        assert "0.2 MB" in answer.json()["error"]
        assert client.get("/healthz").status_code == 200
    end = time.monotonic() + 60
    while "corolla_held_bytes 0.0" not in strict.get("/metrics", headers=ALLOWED).text:
        assert time.monotonic() < end


def test_json_too_large_is_refused_too(strict: Any) -> None:
    with strict.client(headers=ALLOWED) as client:
        assert client.post("/v1/predict", json={"images": ["A" * LIMITS.body]}).status_code == 413


def test_too_many_images_are_refused(strict: Any, painted: dict[str, bytes]) -> None:
    with strict.client(headers=ALLOWED) as client:
        form = client.post("/v1/predict", files=[("files", ("a.jpg", b"x"))] * 4)
        listed = client.post("/v1/predict", json={"images": ["AAAA"] * 4})
    for answer in (form, listed):
        assert answer.status_code == 413
        assert "3" in answer.json()["error"]


def test_an_image_of_too_many_pixels_is_refused_by_its_header(strict: Any) -> None:
    with strict.client(headers=ALLOWED) as client:
        for width, height in ((400, 300), (60_000, 60_000), (2**31 - 1, 2**31 - 1)):
            answer = client.post("/v1/predict", files={"files": png(width, height, bytes(9))})
            assert answer.status_code == 422
            assert "too large" in answer.json()["error"]
        buffer = io.BytesIO()
        Image.new("L", (400, 250)).save(buffer, "PNG")
        assert client.post("/v1/predict", files={"files": buffer.getvalue()}).status_code == 200


def test_a_body_that_does_not_come_is_given_up(hasty: Any) -> None:
    head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100"
    status, said = raw(hasty, head, b'{"images": ')
    assert status == 408
    assert "1 s" in said["error"]


def test_a_body_that_trickles_is_given_up(hasty: Any) -> None:
    """Every byte comes in time and the whole does not."""
    head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100"
    status, _ = raw(hasty, head, *[b" "] * 12, pause=0.15)
    assert status == 408


def test_bytes_of_all_requests_together_are_bounded(flowers: Served, serving: Any, painted: dict[str, bytes]) -> None:
    with serving(flowers, Limits(held=1000)) as server:
        refused = server.post(painted["daisy"])
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert server.post(b"small").status_code == 422


def test_what_is_no_http_is_400(flowers: Served, serving: Any) -> None:
    """On a server of its own: what uvicorn logs, the newest server of a process is told."""
    with serving(flowers) as server:
        host, port = server.address.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(b"\x16\x03\x01 no http at all\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 400")
        assert server.get("/healthz").status_code == 200
        [logged] = [entry for entry in server.log if entry["event"] == "uvicorn"]
        assert logged["level"] == "warning"
        server.log.remove(logged)
