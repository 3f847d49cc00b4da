"""Downloads one image from an http(s) URL, with limits on its size and time."""

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from corolla import __version__
from corolla.data.decoding import MAX_BYTES, ImageError

TIMEOUT = 20.0  # seconds without a byte
LONGEST = 120.0  # seconds in total, against a server that sends very slowly
PIECE = 1 << 16


def download(address: str, file: Path) -> None:
    """Download `address` into `file`; `ImageError` with the reason if that is not possible."""
    if not address.lower().startswith(("http://", "https://")):
        raise ImageError("only http and https addresses are supported")
    headers = {"User-Agent": f"corolla/{__version__}", "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"}
    try:
        request = urllib.request.Request(quoted(address), headers=headers)
        with web().open(request, timeout=TIMEOUT) as answer:
            length = answer.headers.get("Content-Length", "")
            if length.isdecimal() and int(length) > MAX_BYTES:
                raise ImageError(f"{int(length) / 1e6:,.0f} MB, more than the limit of {MAX_BYTES / 1e6:.0f} MB")
            store(answer, file)
    except ImageError:
        raise
    except urllib.error.HTTPError as error:
        with error:
            raise ImageError(f"the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ImageError(f"the download failed: {reason or type(error).__name__}") from None


def store(answer: http.client.HTTPResponse, file: Path) -> None:
    """Write the body to `file` piece by piece, within the limits."""
    begun, size = time.monotonic(), 0
    with file.open("wb") as target:
        while piece := answer.read1(PIECE):
            size += len(piece)
            if size > MAX_BYTES:
                raise ImageError(f"more than the limit of {MAX_BYTES / 1e6:.0f} MB")
            if time.monotonic() - begun > LONGEST:
                raise ImageError(f"not complete after {LONGEST:.0f} seconds")
            target.write(piece)
    if answer.length:  # fewer bytes than Content-Length says
        raise ImageError("the connection was cut")


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
