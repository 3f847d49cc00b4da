"""Reads and lists files at any address that fsspec supports: `s3://`, `gs://`, `http(s)://`, `memory://` and so on."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from corolla.errors import CorollaError, first_line, needed
from corolla.inputs.download import LONGEST, TIMEOUT
from corolla.inputs.errors import InputError
from corolla.paths import is_system_file

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,20})://")
LOCAL = ("file", "local")
WEB = ("http", "https")
EXTRAS = {"s3": "s3", "s3a": "s3"}  # of corolla, which install what fsspec needs
TRIES = 3  # networks fail occasionally
PIECE = 1 << 20  # bytes per request when a file is scanned
SHOWN = 160  # characters of an error message from elsewhere
# Errors that a retry does not fix.
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError, CorollaError)


def protocol(word: str) -> str | None:
    """The protocol of an address, in lower case; None for a path."""
    found = ADDRESS.match(word)
    return found[1].lower() if found else None


def local_path(word: str) -> Path | None:
    """The path of a word on this machine's disk, also of a `file://` address; None for any other address."""
    kind = protocol(word)
    if kind is None:
        return Path(word)
    return Path(open_address(word)[1]) if kind in LOCAL else None


def open_address(address: str) -> tuple[Any, str]:
    """The file system of an address and its path there; `InputError` if there is none."""
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol(address) in WEB:
        timeout = needed("aiohttp", "http").ClientTimeout(LONGEST, sock_connect=TIMEOUT, sock_read=TIMEOUT)
        options["client_kwargs"] = {"timeout": timeout}
    if "::" in address:
        why = "nested addresses are not supported; give a plain one"
        raise InputError(why, f"{address}: {why}")
    try:
        system, path = fsspec.core.url_to_fs(address, **options)
        return system, str(path)
    except Exception as error:
        why = reason(error, address)
        raise InputError(why, f"cannot open {address}: {why}") from None


@contextmanager
def reading(address: str, size: int = -1) -> Iterator[BinaryIO]:
    """The open, seekable file at an address or a path; with a given size, the server is not asked for it."""
    if protocol(address) is None:
        with Path(address).open("rb") as file:
            yield file
        return
    system, path = open_address(address)
    known = {"size": size} if size >= 0 and protocol(address) in (*WEB, "s3", "s3a") else {}
    with system.open(path, "rb", block_size=PIECE, **known) as file:
        yield file


def read_bytes(address: str, start: int, size: int, most: int) -> bytes:
    """`size` bytes of a file from `start` on, or all if `size` is -1, but at most `most` + 1.

    Raises any exception of the file system.
    """
    for attempt in range(TRIES):
        try:
            if size >= 0 and protocol(address) not in (None, *WEB):  # a web server might send the whole file
                system, path = open_address(address)
                return bytes(system.cat_file(path, start=start, end=start + size))
            with reading(address) as file:
                file.seek(start)
                return file.read(size if size >= 0 else most + 1)
        except Exception as error:
            true = behind(error)
            if attempt == TRIES - 1 or isinstance(true, FINAL) or 400 <= getattr(true, "status", 0) < 500:
                raise true from None
            time.sleep(0.2 * 4**attempt)
    raise AssertionError


def is_there(address: str) -> bool:
    """Whether there is a file or folder at an address; may raise any exception of the file system."""
    system, path = open_address(address)
    return bool(system.exists(path))


def files_at(system: Any, path: str) -> Iterator[dict[str, Any]]:
    """The name and size of the file at a path, or of all files below the folder."""
    entry = {} if path.endswith("/") else system.info(path)
    if not entry or entry["type"] == "directory":
        yield from files_below(system, path)
    else:
        yield entry


def files_below(system: Any, folder: str) -> Iterator[dict[str, Any]]:
    """Every file below a folder with name and size, sorted like a local folder."""
    files: list[tuple[str, dict[str, Any]]] = []
    folders: list[str] = []
    for entry in system.ls(folder, detail=True):
        name = str(entry["name"]).rstrip("/")
        inside = name.startswith(folder.rstrip("/") + "/")  # links in a web page may point anywhere
        if not inside or is_system_file(name.rpartition("/")[2]):
            continue
        if entry["type"] == "directory":
            folders.append(name)
        else:
            files.append((name, entry))
    for _, entry in sorted(files, key=lambda pair: pair[0]):
        yield entry
    for name in sorted(folders):
        yield from files_below(system, name + ("/" if folder.endswith("/") else ""))


def behind(error: BaseException) -> BaseException:
    """The cause of an error: fsspec reports every error of a web server as a missing file."""
    cause = error.__cause__
    return error if cause is None or not isinstance(error, FileNotFoundError) else behind(cause)


def reason(error: BaseException, address: str) -> str:
    """Why an address cannot be read, in a few words."""
    error = behind(error)
    kind, said = type(error).__name__, first_line(error)[:SHOWN]
    if isinstance(error, InputError):
        return error.reason
    if isinstance(error, ImportError):
        extra = EXTRAS.get(protocol(address) or "")
        return f"it needs more: pip install 'corolla[{extra}]'" if extra else f"it needs more: {said}"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if "Timeout" in kind:
        return "the server does not answer in time"
    if hasattr(error, "status"):
        return f"the server answers {error.status}"
    if isinstance(error, PermissionError) and protocol(address) in (None, *LOCAL):
        return "no permission to read it"
    if isinstance(error, PermissionError) or "Credentials" in kind:
        return f"the login was refused ({said})"
    return said
