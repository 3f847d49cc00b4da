"""The process of `corolla serve`: it starts, listens to this machine alone, ends when all it holds is answered."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from corolla.cli import main
from corolla.errors import CorollaError
from corolla.server.running import address_of, listen


class Process:
    """`corolla serve` with these words on a free port, its log read as it comes."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "corolla", "serve", *words, "--port", "0"],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,
        )
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        started = self.next()
        assert started["event"] == "started"
        self.address = started["address"]

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self) -> dict[str, Any]:
        return self.lines.get(timeout=300)

    def end(self) -> tuple[int, str]:
        """The exit status and what it said on standard error, once it has ended."""
        assert self.process.stderr
        assert self.process.stdout
        status = self.process.wait(timeout=300)
        self.reader.join(timeout=10)
        said = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        return status, said


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def begin(*words: str, **environment: str) -> Process:
        processes.append(Process(*words, **environment))
        return processes[-1]

    yield begin
    for process in processes:
        if process.process.poll() is None:
            process.process.kill()
            process.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_finishes_what_it_holds_and_ends_with_zero(
    start: Callable[..., Process], painted: dict[str, bytes], number: int
) -> None:
    """A request whose last bytes come after the signal is answered; a new one finds nobody."""
    server = start("flowers")
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    head, body = request_of(painted["roses"])
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head + body[:1000])
        until(lambda: "corolla_held_bytes 0.0" not in metrics(server))
        server.process.send_signal(number)
        until(lambda: not answers(server.address))
        line.sendall(body[1000:])
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"][0]["label"] == "roses"
    status, said = server.end()
    assert status == 0
    assert said.splitlines() == [f"serving flowers at {server.address}; Ctrl-C stops it"]
    told = [server.next()]
    while told[-1]["event"] != "stopped":
        told.append(server.next())
    assert [line["status"] for line in told if line.get("path") == "/v1/predict"] == [200]
    assert {line["event"] for line in told} == {"request", "stopped"}


def metrics(server: Process) -> str:
    return httpx.get(server.address + "metrics", trust_env=False, timeout=30).text


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def answers(address: str) -> bool:
    """Whether anybody listens there still."""
    try:
        httpx.get(address + "healthz", trust_env=False, timeout=30)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:  # it was taken and dropped again, just before nobody listens any more
        return True
    return True


def request_of(image: bytes) -> tuple[bytes, bytes]:
    """Head and body of a form with one image."""
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + image + b"\r\n--x--\r\n"
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode(), body


def test_limits_token_and_names_are_given_by_options(start: Callable[..., Process]) -> None:
    server = start(
        "flowers", "--quiet", "--max-images", "2", "--max-megabytes", "1", "--max-megapixels", "3", "--workers", "2",
        "--batch", "4", "--queue", "5", "--timeout", "9", "--allow-host", "tulip.example", COROLLA_TOKEN="ours",
    )  # fmt: skip
    allowed = {"Authorization": "Bearer ours", "Host": "tulip.example"}
    with httpx.Client(base_url=server.address, trust_env=False) as client:
        assert client.get("/v1/model").status_code == 401
        said = client.get("/v1/model", headers=allowed).json()
    assert said["limits"] == {"bytes": 1_000_000, "images": 2, "pixels": 3_000_000}
    server.process.terminate()
    assert server.end() == (0, "")


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that `corolla serve` with these words leaves."""
    assert main(["serve", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    return line


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        line = failure(capsys, "flowers", "--port", str(taken.getsockname()[1]))
    assert "address already in use" in line
    assert "--port" in line


def test_a_host_that_is_not_here_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--host" in failure(capsys, "flowers", "--host", "no such host")
    assert "127.0.0.1" in failure(capsys, "flowers", "--host", "203.0.113.1")


def test_what_is_no_run_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "is not a run folder" in failure(capsys, str(tmp_path), "--port", "0")


def test_a_missing_package_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else name)
    assert failure(capsys, "flowers").endswith("corolla serve needs uvicorn: pip install 'corolla[serve]'")


def test_a_server_needs_no_torch_until_it_loads_a_run() -> None:
    code = (
        "import sys, corolla.server.app, corolla.server.running, corolla.server.model\n"
        "print(*sorted(set(sys.modules) & {'torch', 'torchvision', 'matplotlib', 'corolla.classifier'}))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == ""


def test_it_listens_on_the_address_it_was_given() -> None:
    with listen("127.0.0.1", 0) as here:
        assert address_of(here) == f"http://127.0.0.1:{here.getsockname()[1]}/"
    with listen("0.0.0.0", 0) as everywhere:
        assert address_of(everywhere).startswith("http://127.0.0.1:")
    with pytest.raises(CorollaError, match="--host"):
        listen("a" * 300, 0)
