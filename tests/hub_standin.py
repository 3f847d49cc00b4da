"""A local stand-in for the Hugging Face Hub, with separate caches: the user's are neither seen nor changed."""

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Answers as the Hugging Face Hub does, for `OWNER/NAME` repositories and for plain files."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # by OWNER/NAME/FILE, or by path
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)  # by OWNER/NAME: status and error code
    asked: list[str] = field(default_factory=list)
    pushed: dict[str, bytes] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200  # of the response to every upload
    private: bool = False  # every repository
    cut: bool = False  # respond with half of Content-Length

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a file, or for the metadata of a repository."""
        if path.startswith("/api/models/") and self.status != 200:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if path.startswith("/api/models/"):
            told = {"id": path.removeprefix("/api/models/"), "private": self.private}
            return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
        repository, _, file = path.strip("/").partition("/resolve/")
        if not file:
            found = self.files.get(repository)
            return (404, {}, b"") if found is None else (200, {}, found)
        if repository in self.refusals:
            status, code = self.refusals[repository]
            return status, {"X-Error-Code": code}, b""
        if not any(name.startswith(f"{repository}/") for name in self.files):
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        body = self.files.get(f"{repository}/{file.partition('/')[2]}")
        if body is None:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}, body

    def receive(self, path: str, body: bytes) -> dict[str, Any]:
        """The response to creating a repository, to a preupload request, and to a commit."""
        if path == "/api/repos/create":
            self.created.append(json.loads(body))
            return {"url": f"{self.address}/{self.created[-1]['organization']}/{self.created[-1]['name']}"}
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.pushed[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return {"commitUrl": f"{self.address}/me/flowers/commit/{COMMIT}", "commitOid": COMMIT}
        return {"errors": [], "warnings": []}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A running Hub that huggingface_hub and torch.hub use, with empty caches."""
    from huggingface_hub import close_session, constants

    stand_in = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            stand_in.asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if stand_in.cut else body)

        def do_GET(self) -> None:
            self.reply(*stand_in.answer(self.path.partition("?")[0]))

        do_HEAD = do_GET  # noqa: N815 - the name is the library's

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = stand_in.receive(self.path, body) if stand_in.status == 200 else {"error": "not yours"}
            self.reply(stand_in.status, {"Content-Type": "application/json"}, json.dumps(told).encode())

        def log_message(self, *words: object) -> None:
            """Quietly."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield stand_in
        close_session()  # the client keeps its connections, which would be reported as never closed
        server.shutdown()
        thread.join()
