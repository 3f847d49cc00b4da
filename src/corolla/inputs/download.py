"""Downloads a file from an http(s) address, within limits of size and time, complete or not at all."""

import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from corolla import __version__
from corolla.atomic import write_with
from corolla.cache import sha256_of
from corolla.inputs.errors import InputError

TIMEOUT = 20.0  # seconds without a byte
LONGEST = 120.0  # seconds for a whole image, against a server that sends very slowly
ATTEMPTS = 4  # connections for one large file; each resumes where the previous one stopped
PIECE = 1 << 18
HEADERS = {"User-Agent": f"corolla/{__version__}", "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"}
# Errors of the connection; any other OSError is that of the file.
NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError, ValueError)

# Called with the bytes that are there and those of the whole file, 0 if the server does not say; it may raise.
Watch = Callable[[int, int], None]


class DownloadError(InputError):
    """A download that failed; `final` if another attempt would fail, too."""

    def __init__(self, reason: str, final: bool = True) -> None:
        super().__init__(reason)
        self.final = final


def download(address: str, file: Path, sha256: str = "", watch: Watch | None = None) -> None:
    """Download `address` into `file`, which appears complete and verified, or not at all.

    `sha256` is the expected hash, or its beginning. Raises `DownloadError`, and `OSError` if the file cannot be
    written.
    """
    write_with(file, lambda part: complete(address, part, sha256, watch))


def within(most: int, longest: float = LONGEST) -> Watch:
    """A `watch` that ends a download of more than `most` bytes, or `longest` seconds from now."""
    started = time.monotonic()

    def watch(done: int, whole: int) -> None:
        if whole > most:
            raise DownloadError(f"{whole / 1e6:,.0f} MB, more than the limit of {most / 1e6:.0f} MB")
        if done > most:
            raise DownloadError(f"more than the limit of {most / 1e6:.0f} MB")
        if time.monotonic() - started > longest:
            raise DownloadError(f"not complete after {longest:.0f} seconds")

    return watch


def complete(address: str, part: Path, sha256: str, watch: Watch | None = None) -> None:
    """Complete `part`, which may hold the beginning of the file from an earlier call; raises like `download`.

    With a `sha256`, which shows when it is complete, a cut download is resumed. After an error, `part` keeps what has
    arrived.
    """
    problem = DownloadError("")
    for _ in range(ATTEMPTS if sha256 else 1):
        begun = part.stat().st_size if part.exists() else 0
        if begun and sha256 and has_hash(part, sha256):
            return
        try:
            receive(address, part, begun, watch)
            if has_hash(part, sha256):
                return
            part.unlink()
            problem = DownloadError("the file does not have the expected sha256", final=not begun)
        except DownloadError as error:
            problem = error
        if problem.final:
            break
    raise problem


def has_hash(file: Path, sha256: str) -> bool:
    """Whether the hash of a file begins with `sha256`."""
    return not sha256 or sha256_of(file).startswith(sha256)


def receive(address: str, file: Path, begun: int, watch: Watch | None) -> None:
    """Download from byte `begun` on and append it to `file`; a server without ranges sends everything again."""
    if not address.lower().startswith(("http://", "https://")):
        raise DownloadError("only http and https addresses are supported")
    try:
        request = urllib.request.Request(quoted(address), headers=HEADERS)
        if begun:
            request.add_header("Range", f"bytes={begun}-")
        with web().open(request, timeout=TIMEOUT) as answer:
            done = begun if answer.status == http.client.PARTIAL_CONTENT else 0
            length = answer.headers.get("Content-Length", "")
            whole = done + int(length) if length.isdecimal() else 0
            if watch:
                watch(done, whole)  # before the first byte
            with file.open("ab" if done else "wb") as target:
                while piece := answer.read1(PIECE):
                    done += len(piece)
                    if watch:
                        watch(done, whole)
                    target.write(piece)
            if answer.length:  # fewer bytes than Content-Length says
                raise DownloadError("the connection was cut", final=False)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # `file` is not the beginning of the server's
                file.unlink(missing_ok=True)
                raise DownloadError("the server has no more bytes", final=False) from None
            raise DownloadError(f"the server answers {error.code} {error.reason}") from None
    except NETWORK as error:
        why = getattr(error, "reason", None) or error or type(error).__name__
        raise DownloadError(f"the download failed: {why}", final=False) from None


def web() -> urllib.request.OpenerDirector:
    """An opener for http and https only: no redirect may lead to a local file or to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def quoted(address: str) -> str:
    """The address with spaces and non-ASCII characters escaped, as a browser does it."""
    parts = urllib.parse.urlsplit(address)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
    path, query = (urllib.parse.quote(part, safe="/%:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urllib.parse.urlunsplit((parts.scheme, host, path, query, ""))
