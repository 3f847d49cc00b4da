"""A minimal server that responds like the web, and like S3 for listing and reading."""

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit


class Storage(http.server.BaseHTTPRequestHandler):
    """Serves `files`, the bytes by path. With a `login`, requests without it are refused."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    login: ClassVar[str] = ""
    failing: ClassVar[dict[str, int]] = {}  # how often a path still fails

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)
        self.asked.append(path)
        if self.login and self.login not in self.headers.get("Authorization", ""):
            self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        elif self.failing.get(path, 0) > 0:
            self.failing[path] -= 1
            self.answer(503, b"busy")
        elif path == "/silent.png":
            time.sleep(1)
        elif "list-type" in query:
            self.answer(200, self.listed(path.strip("/"), query))
        elif path in self.files:
            self.give(self.files[path])
        elif path.endswith("/") and any(name.startswith(path) for name in self.files):
            here = sorted({name[len(path) :].partition("/")[0] for name in self.files if name.startswith(path)})
            links = [f'<a href="{quote(name)}">{escape(name)}</a>' for name in here]
            self.answer(200, "".join([*links, '<a href="http://other.example/x.png">']).encode(), "text/html")
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def give(self, content: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self.answer(200, content)
            return
        start, end = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
        headers = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
        self.answer(206, content[start : end + 1], headers=headers)

    def listed(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        prefix, cut = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        keys, folders = [], set()
        for name in sorted(self.files):
            key = name.removeprefix(f"/{bucket}/")
            if key != name and key.startswith(prefix):
                rest = key[len(prefix) :]
                if cut and cut in rest:
                    folders.add(prefix + rest.partition(cut)[0] + cut)
                else:
                    keys.append((key, len(self.files[name])))
        date = "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag>"
        said = "".join(f"<Contents><Key>{escape(k)}</Key><Size>{n}</Size>{date}</Contents>" for k, n in keys)
        said += "".join(f"<CommonPrefixes><Prefix>{escape(k)}</Prefix></CommonPrefixes>" for k in sorted(folders))
        count = f"<KeyCount>{len(keys) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f'<?xml version="1.0"?><ListBucketResult>{count}{said}</ListBucketResult>'.encode()

    def answer(
        self, status: int, content: bytes, kind: str = "application/xml", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Accept-Ranges": "bytes", "ETag": '"x"', **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def serving() -> Iterator[tuple[type[Storage], str]]:
    """The class that holds the files, and the address."""

    class Own(Storage):
        files: ClassVar[dict[str, bytes]] = {}
        asked: ClassVar[list[str]] = []
        failing: ClassVar[dict[str, int]] = {}

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield Own, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
